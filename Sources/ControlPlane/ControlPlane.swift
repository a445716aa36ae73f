// The controller over the network.
