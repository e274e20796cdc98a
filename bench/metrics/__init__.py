"""The metrics: from features and recordings to a result."""
