"""Volumes: images, masks, atlases, runs in time."""
