"""A page to browse the units and features of networks: what is shown, how it is written, and the page itself."""
