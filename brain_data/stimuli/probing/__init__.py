"""Properties of texts and pictures to probe for: to add a family, copy a sibling; the registry finds it."""
