"""Weights as files: reading them, and which architecture they belong to."""
