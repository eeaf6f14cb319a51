"""The architectures, their layers and the `.h5` file."""
