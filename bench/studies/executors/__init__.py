"""Where the batches of a study are worked through, a way a file: to add one, copy a sibling; the registry finds it."""
