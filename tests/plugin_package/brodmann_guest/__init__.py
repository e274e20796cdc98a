"""A package of somebody else that adds to brodmann; each module is named by an entry point."""
