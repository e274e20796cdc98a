"""Mutation testing of the modules that the numbers of a score pass through: `python tests/mutants.py FOLDER`.

mutmut changes one operator, number, argument or word at a time, runs the tests that reach the changed function, and
counts the changes that some test notices. What is tried is a sample: `--each N` of every module (0 for all), drawn by
`--seed` (the day's, so that every night tries others). `--only WORD ...` takes the modules whose path holds a word.
The work is done in FOLDER, on a copy of the package.
"""

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date
from functools import partial
from pathlib import Path

MODULES: dict[str, list[str]] = json.loads(open("/tmp/wt/mutants/modules.json").read())
LEAST = 85.0
"""Percent of the mutants that must be noticed."""
NOTICED = ("killed", "timeout", "segfault")
PLAIN = ("classmethod", "staticmethod", "abstractmethod", "overload")
"""Decorators that stay: mutmut knows the first two, and behind the others there is no code."""


def prepare(folder: Path) -> None:
    """A copy of the package."""
    unneeded = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info", "shared")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Path(__file__).resolve().parents[1], folder / "brodmann", ignore=unneeded)
    for module in MODULES:
        path = folder / "brodmann" / module
        path.write_text(undecorated(path.read_text()))


def undecorated(source: str) -> str:
    """The same module with `@decorator def f` as `def f; f = decorator(f)`: mutmut skips what is decorated."""
    lines = source.splitlines()
    after: dict[int, list[str]] = {}
    tree = ast.parse(source)
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    for function in [node for body in bodies for node in body if isinstance(node, ast.FunctionDef)]:
        words = [ast.unparse(one) for one in function.decorator_list]
        if not words or any(word in PLAIN or "." in word.split("(")[0] for word in words):
            continue
        for i in range(function.decorator_list[0].lineno - 1, function.lineno - 1):
            lines[i] = ""
        indent, name = " " * function.col_offset, function.name
        after[function.end_lineno or 0] = [f"{indent}{name} = {word}({name})" for word in reversed(words)]
    return "\n".join("\n".join([line, *after.get(i, [])]) for i, line in enumerate(lines, 1)) + "\n"


def configure(modules: list[str], files: list[str]) -> None:
    """mutmut's settings, for modules about which the same tests are asked."""
    shutil.rmtree("mutants", ignore_errors=True)
    Path("mutants").mkdir()
    settings = {
        "source_paths": ["brodmann"],
        "only_mutate": [f"brodmann/{module}" for module in modules],
        "pytest_add_cli_args_test_selection": [f"brodmann/tests/{file}" for file in files],
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
        "use_git_change_detection": False,
        "timeout_multiplier": 3.0,
        "timeout_constant": 2.0,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    Path("pyproject.toml").write_text("\n".join(["[tool.mutmut]", *lines, ""]))


def run(modules: list[str], each: int, seed: int, processes: int) -> None:
    """Try a sample of the mutants of some modules, in a process of its own: mutmut keeps state."""
    from mutmut.__main__ import _run
    from mutmut.mutation import file_mutation

    all_of_them = file_mutation.create_mutations

    def some(filename: str, *args: object) -> tuple[object, ...]:
        module, mutations, *rest = all_of_them(filename, *args)
        if os.environ.get("ONE"):
            mutations = list({m.contained_by_top_level_function: m for m in mutations}.values())
        mutations = [one for one in mutations if one.contained_by_top_level_function is not None]
        drawn = random.Random(f"{seed} {filename}").sample(
            range(len(mutations)), min(each or len(mutations), len(mutations))
        )
        return module, [mutations[i] for i in sorted(drawn)], *rest

    file_mutation.create_mutations = some
    _run((), processes)


def found(module: str) -> Counter[str]:
    """How many mutants of a module were noticed and not; their row and the unnoticed changes are printed."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code

    codes = json.loads(Path(f"mutants/brodmann/{module}.meta").read_text())["exit_code_by_key"]
    status = {name: status_by_exit_code[code] for name, code in codes.items() if code is not None}
    counts = Counter("noticed" if word in NOTICED else "unnoticed" for word in status.values())
    share = 100 * counts["noticed"] / max(len(status), 1)
    print(f"{module:48} {len(status):5} mutants  {counts['noticed']:5} noticed  {share:5.1f} %")
    for name, word in status.items():
        if word not in NOTICED:
            changed = get_diff_for_mutant(name, path=Path("brodmann") / module).splitlines()[2:]
            print(f"  {word}  {name}", *(f"    {line}" for line in changed if line[0] in "+-"), sep="\n")
    return counts


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    one = argparse.ArgumentParser(description=__doc__)
    one.add_argument("folder", type=Path)
    one.add_argument("--each", type=int, default=12)
    one.add_argument("--seed", type=int, default=date.today().toordinal())
    one.add_argument("--only", nargs="+", default=[""])
    one.add_argument("--processes", type=int, default=2)
    one.add_argument("--modules", nargs="+", help=argparse.SUPPRESS)
    return one


def main(given: argparse.Namespace) -> bool:
    """Whether enough was noticed, over all modules."""
    together = defaultdict(list)
    for module, files in MODULES.items():
        if any(word in module for word in given.only):
            together[tuple(files)].append(module)
    total: Counter[str] = Counter()
    print(f"seed {given.seed}, {given.each or 'all'} mutants of a module", flush=True)
    for files, modules in together.items():
        configure(modules, list(files))
        command = [sys.executable, __file__, ".", "--each", str(given.each), "--seed", str(given.seed)]
        command += ["--processes", str(given.processes), "--modules", *modules]
        path = os.pathsep.join(
            [str(Path("mutants").resolve()), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        )
        with Path("mutmut.log").open("w") as log:
            done = subprocess.run(
                command, env=os.environ | {"PYTHONPATH": path}, stdout=log, stderr=log, check=False
            )
        if done.returncode:
            sys.exit(f"{modules}: {Path('mutmut.log').read_text()[-3000:]}")
        for module in modules:
            total += found(module)
        sys.stdout.flush()
    share = 100 * total["noticed"] / total.total()
    print(f"{total['noticed']} of {total.total()} mutants noticed: {share:.1f} %")
    return share >= LEAST


if __name__ == "__main__":
    given = parser().parse_args()
    if given.modules:
        run(given.modules, given.each, given.seed, given.processes)
    else:
        prepare(given.folder.resolve())
        os.chdir(given.folder)
        sys.exit(not main(given))
