"""The tables of a board: what is written, checked, imported and asked."""
