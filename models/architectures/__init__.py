"""Networks as torch modules, under the names that their published weights use."""
