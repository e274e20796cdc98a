"""Arrays by their names: HDF5, MATLAB, Python's archives."""
