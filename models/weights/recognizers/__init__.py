"""One file an architecture: how its weights are told by names and shapes, and what its networks are shown."""
