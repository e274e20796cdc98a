"""Surfaces: GIFTI, CIFTI, FreeSurfer, meshes, maps."""
