"""Studies: many scores that answer one question."""
