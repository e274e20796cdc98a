"""Resampling, and tests of paired differences."""
