"""A plugin is checked before it leaves the machine, in a process of its own."""
