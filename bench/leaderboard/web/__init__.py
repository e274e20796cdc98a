"""The server, the interface and the pages of a board."""
