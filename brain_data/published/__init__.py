"""What the published data sets' own folders hold, and how it is read; their cards are in `datasets`."""
