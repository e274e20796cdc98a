"""How a map of units lies in space: neighbors, clustering, patches, wiring."""
