"""The table of all comparisons, written when the last one has run."""

import os
import platform
from pathlib import Path

import pytest
from harness import HEADER, ROUNDS, THREADS


@pytest.fixture(scope="session")
def table():
    """Append a finished row; it is printed at once, and all are written at the end to TABLE.md."""
    rows = []

    def add(row):
        rows.append(row.line())
        print(f"\n{HEADER}\n{rows[-1]}")

    yield add
    where = os.environ.get("BRODMANN_PERF_TABLE")
    if rows and where:
        note = f"{THREADS} threads, {platform.machine()}, medians of {ROUNDS} runs in turn; memory above the data."
        Path(where).write_text("\n".join([f"{note}\n", HEADER, *rows, ""]))
