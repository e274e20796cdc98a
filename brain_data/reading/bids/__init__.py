"""BIDS: files, events, confounds, images, runs."""
