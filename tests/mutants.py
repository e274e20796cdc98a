"""Mutation testing of the modules that the numbers of a score pass through: `python tests/mutants.py FOLDER [N]`.

mutmut changes one operator, number, argument or word at a time, runs the tests that reach the changed function, and
counts the changes that some test notices. N takes that many changes of each module, drawn at random; without it all
are tried. The work is done in FOLDER, on a copy of the package; `mutmut show NAME` there prints a change.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import get_mutant_name

MODULES = {
    "bench/metrics/normalization.py": ["bench/metrics/test_normalization.py"],
    "bench/metrics/rsa.py": ["bench/metrics/test_rsa.py"],
    "brain_data/noise_ceiling.py": ["brain_data/test_noise_ceiling.py"],
    "analysis/representation/selectivity.py": ["analysis/representation/test_selectivity.py"],
    "analysis/representation/dimensionality.py": ["analysis/representation/test_dimensionality.py"],
    "analysis/representation/traces.py": ["analysis/representation/test_dimensionality.py"],
    "analysis/representation/recorded_dimensionality.py": [
        "analysis/representation/test_recorded_dimensionality.py",
        "analysis/representation/test_dimensionality.py",
    ],
    "analysis/spatial/morans_i.py": ["analysis/spatial/test_morans_i.py"],
}
"""Each module, and the files of tests/ that are asked about it."""
LEAST = 85.0
"""Percent of the mutants that must be noticed."""
NOTICED = ("killed", "timeout", "segfault")


def prepare(folder: Path) -> None:
    """A copy of the package, and mutmut's settings beside it."""
    unneeded = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info", "shared")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Path(__file__).resolve().parents[1], folder / "brodmann", ignore=unneeded)
    (folder / "mutants").mkdir()
    settings = {
        "source_paths": ["brodmann"],
        "only_mutate": [f"brodmann/{module}" for module in MODULES],
        "pytest_add_cli_args_test_selection": sorted(
            {f"brodmann/tests/{file}" for files in MODULES.values() for file in files}
        ),
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
        "use_git_change_detection": False,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    (folder / "pyproject.toml").write_text("\n".join(["[tool.mutmut]", *lines, ""]))


def sample(n: int) -> list[str]:
    """The names of `n` mutants of each module, drawn from one seed."""
    drawn = []
    for module in MODULES:
        path = Path("brodmann") / module
        mutated = mutate_file_contents(str(path), path.read_text())
        names = sorted(get_mutant_name(path, name) for name in mutated.mutant_names)
        drawn += random.Random(13).sample(names, min(n, len(names)))
    return drawn


def report() -> float:
    """Print a row a module and the names of what nothing noticed; percent noticed over all modules."""
    noticed = total = 0
    unnoticed = []
    for module in MODULES:
        codes = json.loads(Path(f"mutants/brodmann/{module}.meta").read_text())["exit_code_by_key"]
        status = {name: status_by_exit_code[code] for name, code in codes.items() if code is not None}
        counts = Counter(status.values())
        killed = sum(counts[word] for word in NOTICED)
        print(f"{module:44} {len(status):5} mutants  {killed:5} killed  {100 * killed / len(status):5.1f} %")
        unnoticed += [f"  {word:12} {name}" for name, word in status.items() if word not in NOTICED]
        noticed, total = noticed + killed, total + len(status)
    print(*unnoticed, sep="\n")
    print(f"{noticed} of {total} mutants killed: {100 * noticed / total:.1f} %")
    return 100 * noticed / total


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve()
    prepare(folder)
    os.chdir(folder)
    names = sample(int(sys.argv[2])) if len(sys.argv) > 2 else []
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "2", *names]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(folder / "mutants")}, check=True)
    sys.exit(report() < LEAST)
