"""Recordings over time: runs and blocks."""
