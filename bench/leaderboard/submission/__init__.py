"""A submission: its schema, how it is built from records, what is refused."""
