"""The command line as a person runs it: in a process of its own."""

import os
import subprocess
import sys


def run_brodmann(*words, **environment):
    """``brodmann WORDS...`` with more environment variables; its standard output and error as text."""
    return subprocess.run(
        [sys.executable, "-m", "brodmann.bench", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
