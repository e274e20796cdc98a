"""One file a panel of a comparison, or a few that draw the same numbers."""
