"""Products with codes of which few entries are not zero, and their gradients."""
