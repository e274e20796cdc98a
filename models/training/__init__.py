"""Training a topographic network and its baseline twin: what they learn from, how, and what is kept."""
