"""Kinds of sparse dictionaries: to add one, copy a sibling; the registry finds it."""
