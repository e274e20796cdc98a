"""Which units hold a labelled property, how few are needed, and with what certificate."""
