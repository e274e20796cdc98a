"""Layouts of dictionaries that others write and read: to add one, copy a sibling; the registry finds it."""
