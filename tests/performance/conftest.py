"""The table of all comparisons, written when the last one has run."""

import os
import platform
from pathlib import Path

import pytest
from harness import DEVICE, HEADER, ROUNDS, THREADS


class Table:
    """Finished rows and remarks, printed as they come."""

    def __init__(self):
        self.rows, self.remarks = [], []

    def __call__(self, row):
        self.rows.append(row.line())
        print(f"\n{HEADER}\n{self.rows[-1]}")

    def remark(self, text):
        self.remarks.append(f"- {text}")
        print(f"\n{text}")

    def text(self):
        note = (
            f"{THREADS} threads, {platform.machine()}, {DEVICE}; medians of {ROUNDS} runs in turn, each in a process "
            "of its own; MiB above the data (on a card: of its memory). Floor: the products that no exact method of "
            "this kind avoids, at this machine's rate. Difference: of the answers (tests/performance/ says of what)."
        )
        return "\n".join([f"{note}\n", HEADER, *self.rows, "", *self.remarks, ""])


@pytest.fixture(scope="session")
def table():
    """Written to the file that BRODMANN_PERF_TABLE names."""
    made = Table()
    yield made
    where = os.environ.get("BRODMANN_PERF_TABLE")
    if where:
        Path(where).write_text(made.text())
