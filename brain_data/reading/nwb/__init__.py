"""NWB: units, fluorescence, places, pictures."""
