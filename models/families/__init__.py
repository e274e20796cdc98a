"""The published families of topographic networks, each with its own way of storing weights and positions."""
