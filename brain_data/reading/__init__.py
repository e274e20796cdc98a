"""The parts that formats of recordings are made of, by what they read."""
