"""From a network to the activations of its layers."""
