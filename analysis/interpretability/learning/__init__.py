"""Learn a dictionary from the rows of a layer: rows on disk, sparse products, training that resumes."""
