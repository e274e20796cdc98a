"""What is said of every unit or feature, a table each: to add one, copy a sibling; the registry finds it."""
