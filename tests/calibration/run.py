"""Run the calibration studies side by side and write their table: ``python tests/calibration/run.py --seeds 200``."""

import argparse
import importlib
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
MODULES = ("encoding",)


def studies(pattern: str = "") -> list[tuple[str, str]]:
    """All studies, as module and name."""
    found = [(module, name) for module in MODULES for name in importlib.import_module(module).STUDIES]
    return [(module, name) for module, name in found if pattern in f"{module} {name}"]


def one(module: str, name: str, n_seeds: int) -> tuple[str, str, list[dict[str, object]], float]:
    """One study's rows."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import warnings

    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    began = time.perf_counter()
    rows = importlib.import_module(module).STUDIES[name](range(n_seeds))
    return module, name, rows, time.perf_counter() - began


def main() -> int:
    """Run, print as they come, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    found: dict[str, list[dict[str, object]]] = {}
    with ProcessPoolExecutor(asked.jobs) as pool:
        work = [pool.submit(one, module, name, asked.seeds) for module, name in studies(asked.only)]
        for done in as_completed(work):
            module, name, rows, seconds = done.result()
            found[f"{module} {name}"] = rows
            for each in rows:
                values = {k: round(v, 3) if isinstance(v, float) else v for k, v in each.items()}
                print("ok  " if each["holds"] else "FAIL", values, f"{seconds:.0f} s", flush=True)
            if asked.out is not None:
                asked.out.write_text(json.dumps({"seeds": asked.seeds, "rows": found}, indent=1))
    return 0 if all(each["holds"] for rows in found.values() for each in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
