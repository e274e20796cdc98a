"""Properties of texts and pictures to probe for, each with its rule, material, licence and known confound."""
