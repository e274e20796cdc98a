"""What a dictionary is worth: reconstruction, loss recovered, densities, controls, matching, splitting."""
