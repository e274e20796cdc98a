"""Stimuli: drawn images, sentences, gratings, localizers."""
