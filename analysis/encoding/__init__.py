"""Encoding models: from features to responses, as numbers about arrays."""
