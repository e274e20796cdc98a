"""Mutation testing of the modules that the numbers of a score pass through: `python tests/mutants.py FOLDER`.

mutmut changes one operator, number, argument or word at a time, runs the tests that reach the changed function, and
counts the changes that some test notices. It works in FOLDER, on a copy of the package; `mutmut show NAME` there
prints a change that nothing noticed. Arguments after FOLDER name mutants (with * and ?) and run these alone.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from mutmut.stats import status_by_exit_code

MODULES = {
    "bench/normalisation.py": ["bench/test_normalisation.py"],
    "bench/similarity.py": ["bench/test_similarity.py"],
    "brain_data/ceilings.py": ["brain_data/test_ceilings.py"],
    "analysis/selectivity.py": ["analysis/test_selectivity.py"],
    "analysis/dimensionality.py": ["analysis/test_dimensionality.py"],
    "analysis/clustering.py": ["analysis/test_clustering.py"],
}
"""Each module, and the files of tests/ that are asked about it."""
LEAST = 85.0
"""Percent of the mutants that must be noticed."""
NOTICED = ("killed", "timeout", "segfault")


def prepare(folder: Path) -> None:
    """A copy of the package, and mutmut's settings beside it."""
    root = Path(__file__).resolve().parents[1]
    unneeded = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info", "shared")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root, folder / "brodmann", ignore=unneeded)
    (folder / "mutants").mkdir()
    tests = sorted({f"brodmann/tests/{file}" for files in MODULES.values() for file in files})
    settings = {
        "source_paths": ["brodmann"],
        "only_mutate": [f"brodmann/{module}" for module in MODULES],
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
        "use_git_change_detection": False,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    (folder / "pyproject.toml").write_text("\n".join(["[tool.mutmut]", *lines, ""]))


def report(folder: Path) -> float:
    """Print a row a module and the names of what nothing noticed; percent noticed over all modules."""
    noticed = total = 0
    unnoticed = []
    for module in MODULES:
        results = json.loads((folder / "mutants" / "brodmann" / f"{module}.meta").read_text())[
            "exit_code_by_key"
        ]
        status = {name: status_by_exit_code[code] for name, code in results.items()}
        counts = Counter(status.values())
        killed = sum(counts[word] for word in NOTICED)
        print(f"{module:44} {len(status):5} mutants  {killed:5} killed  {100 * killed / len(status):5.1f} %")
        unnoticed += [f"  {word:12} {name}" for name, word in status.items() if word not in NOTICED]
        noticed, total = noticed + killed, total + len(status)
    print(*unnoticed, sep="\n")
    print(f"{noticed} of {total} mutants killed: {100 * noticed / total:.1f} %")
    return 100 * noticed / total


if __name__ == "__main__":
    folder, names = Path(sys.argv[1]).resolve(), sys.argv[2:]
    if not names:
        prepare(folder)
    mutmut = [sys.executable, "-m", "mutmut", "run", "--max-children", "2", *names]
    environment = os.environ | {"PYTHONPATH": str(folder / "mutants")}
    subprocess.run(mutmut, cwd=folder, env=environment, check=True)
    sys.exit(report(folder) < LEAST)
