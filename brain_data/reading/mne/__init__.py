"""What MNE-Python opens: files, events, signals, series."""
