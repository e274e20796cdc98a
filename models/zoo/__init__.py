"""Baselines, published families and packaged networks, one file each."""
