"""What a representation is like: dissimilarities, dimensionality, selectivity."""
