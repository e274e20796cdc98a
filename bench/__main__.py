"""``python -m brodmann.bench`` is the command ``brodmann``."""

from .cli.main import main

main()
