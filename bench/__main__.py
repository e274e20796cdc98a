"""``python -m brodmann.bench`` is the command ``brodmann``."""

from .cli import main

main()
