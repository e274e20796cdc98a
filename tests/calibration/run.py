"""Run the calibration studies side by side and write their table: ``python tests/calibration/run.py --seeds 200``."""

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
MODULES = {
    "encoding": "Encoding scores",
    "rsa": "RSA",
    "decoding": "Decoding",
    "dimensionality": "Dimensionality",
    "beyond": "Beyond baselines",
    "time_series": "Recordings in time",
    "presets": "Brain-Score's metrics, named test stimuli, penalties",
}
"""Module of studies -> heading of its table."""
_LONG = (
    "simulated language",
    "random code",
    "adds",
    "unrelated",
    "real",
    "equal models",
    "intervals of",
    "a flawless",
)
"""How the names of studies begin that are run first, so that none of them is waited for at the end."""
Rows = list[dict[str, Any]]


def studies(pattern: str = "") -> list[tuple[str, str]]:
    """All studies, as module and name."""
    found = [(module, name) for module in MODULES for name in importlib.import_module(module).STUDIES]
    chosen = [(module, name) for module, name in found if pattern in f"{module} {name}"]
    return sorted(chosen, key=lambda each: not each[1].startswith(_LONG))


def one(module: str, name: str, n_seeds: int) -> tuple[str, str, Rows, float]:
    """One study's rows."""
    import warnings

    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    began = time.perf_counter()
    rows = importlib.import_module(module).STUDIES[name](range(n_seeds))
    seconds = time.perf_counter() - began
    return module, name, [{"design": each["design"], "seeds": n_seeds} | each for each in rows], seconds


def page(found: Mapping[str, Rows]) -> str:
    """The page of documentation that shows what was found."""
    parts = [
        "# Calibration",
        "",
        "What the estimators do on recordings whose truth is known, in the designs that recordings have: "
        "made by `tox -e calibration`. *must* is what a row has to show; a row that does not "
        "is marked, and its number is what it is. Recordings come from a generator that knows nothing of this "
        "package, from the simulated cortex where a row says so, or are real.",
    ]
    for module, heading in MODULES.items():
        rows = [each for name, every in found.items() if name.split()[0] == module for each in every]
        for columns in dict.fromkeys(tuple(k for k in each if k not in ("must", "holds")) for each in rows):
            alike = [each for each in rows if tuple(k for k in each if k not in ("must", "holds")) == columns]
            head = [*columns, "must", ""]
            parts += ["", f"## {heading}" if f"## {heading}" not in parts else "", ""]
            parts += ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
            parts += [_line([*(each[k] for k in columns), each["must"], each["holds"]]) for each in alike]
    n_rows = sum(map(len, found.values()))
    n_held = sum(bool(each["holds"]) for every in found.values() for each in every)
    return "\n".join([*parts, "", f"{n_held} of {n_rows} rows show what they must.", ""])


def _line(cells: Sequence[Any]) -> str:
    shown = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells[:-1]]
    return "| " + " | ".join([*shown, "" if cells[-1] else "**no**"]) + " |"


def main() -> int:
    """Run, print as they come, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="studies whose name holds this")
    parser.add_argument("--out", type=Path, help="rows as JSON, kept as they come")
    parser.add_argument("--rows", type=Path, nargs="*", help="only make the page, of rows that --out kept")
    parser.add_argument("--page", type=Path, help="the page of documentation")
    asked = parser.parse_args()
    if asked.rows:
        kept: dict[str, Rows] = {}
        for file in asked.rows:
            kept |= {name: rows for name, rows in json.loads(file.read_text()).items() if rows}
        asked.page.write_text(page(kept))
        return 0
    os.environ["OMP_NUM_THREADS"] = "1"
    names = studies(asked.only)
    found: dict[str, Rows] = {f"{module} {name}": [] for module, name in names}
    with ProcessPoolExecutor(asked.jobs) as pool:
        work = [pool.submit(one, module, name, asked.seeds) for module, name in names]
        for done in as_completed(work):
            module, name, rows, seconds = done.result()
            found[f"{module} {name}"] = rows
            for each in rows:
                values = {k: round(v, 3) if isinstance(v, float) else v for k, v in each.items()}
                print("ok  " if each["holds"] else "FAIL", values, f"{seconds:.0f} s", flush=True)
            if asked.out is not None:
                asked.out.write_text(json.dumps(found, indent=1, default=bool))
    if asked.page is not None:
        asked.page.write_text(page(found))
    return 0 if all(each["holds"] for rows in found.values() for each in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
