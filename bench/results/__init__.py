"""Scores on disk, and what they stand on."""
