"""What the page says, one file a section: of every unit or feature, or of a whole layer."""
