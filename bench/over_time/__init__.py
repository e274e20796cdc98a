"""Scores in every bin of time: curves, when they begin, and how codes generalize from one bin to another."""
