"""Descriptions in plain words, a family a file: to add one, copy a sibling; the registry finds it."""
