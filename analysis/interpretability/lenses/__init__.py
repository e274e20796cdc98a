"""What a layer writes into the output: lenses, vocabulary, importance, topics, dreams."""
