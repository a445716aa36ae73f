// What a container runtime asks of a CNI plugin (CNI specification 1.1), as values.
