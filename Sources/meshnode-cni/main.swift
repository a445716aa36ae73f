// The plugin: see Sources/CNI.
