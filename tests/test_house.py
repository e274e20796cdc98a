"""The rules of the house: floors, imports, a light start, the README's commands."""

import ast
import re
import statistics
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {"": 0, "brain_data": 1, "models": 2, "analysis": 3, "bench": 4}
MODULES = sorted(
    path.relative_to(ROOT)
    for path in [
        *ROOT.glob("*.py"),
        *(path for floor in FLOORS if floor for path in (ROOT / floor).rglob("*.py")),
    ]
)


def imports(module):
    """(room, module) of every relative import, and whether it is at the top of the file."""
    tree = ast.parse((ROOT / module).read_text())
    here = module.parent.parts
    typing_only = {
        id(node) for block in ast.walk(tree) if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level + 1]
            parts = (*base, *(node.module.split(".") if node.module else ()))
            targets = [parts] if node.module else [(*parts, alias.name) for alias in node.names]
            for target in targets:
                yield ".".join(target), node in tree.body and id(node) not in typing_only
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
            )
            assert not any(name.split(".")[0] == "brodmann" for name in names), (
                f"{module} imports brodmann absolutely"
            )


def floor(name):
    return FLOORS.get(name.split(".")[0], 0)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_floor_imports_only_from_floors_below(module):
    if module == Path("__init__.py"):
        return
    own = FLOORS[module.parent.parts[0] if module.parent.parts else ""]
    for target, _ in imports(module):
        assert floor(target) <= own, f"{module} (floor {own}) imports {target} (floor {floor(target)})"


def test_no_circle_of_imports():
    names = {str(path.with_suffix("")).replace("/", "."): path for path in MODULES}
    graph = {
        name: {target for target, at_top in imports(path) if at_top and target in names}
        for name, path in names.items()
    }
    done, open_ = set(), []

    def visit(name):
        assert name not in open_, f"circle: {' -> '.join([*open_[open_.index(name) :], name])}"
        if name in done:
            return
        open_.append(name)
        for target in sorted(graph[name]):
            visit(target)
        open_.pop()
        done.add(name)

    for name in graph:
        visit(name)


@pytest.mark.parametrize(
    "code",
    [
        "import brodmann",
        "import brodmann.bench.cli.main",
        "import brodmann; brodmann.list_models(); brodmann.list_datasets(); brodmann.list_benchmarks()",
    ],
)
def test_starting_and_listing_do_not_import_torch(code):
    heavy = (
        "import sys; print([m for m in ('torch', 'transformers', 'nilearn', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {heavy}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def seconds(command):
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def test_help_starts_in_less_than_three_bare_numpys():
    command = [sys.executable, "-m", "brodmann.bench", "--help"]
    bare = [sys.executable, "-c", "import numpy"]
    pairs = [(seconds(command), seconds(bare)) for _ in range(8)][1:]
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"brodmann --help / import numpy = {ratio:.2f}")
    assert ratio < 3


def test_the_readmes_commands_are_the_ones_that_ci_runs():
    readme = (ROOT / "README.md").read_text()
    assert "\npython3 -m pip install tox && python3 -m tox run -e demo\n" in readme
    assert "\npython3 -m tox\n" in readme
    assert re.search(r"^python3 -m tox$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_every_version_is_pinned_and_torch_is_the_cpu_one():
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines)
    assert "torch==2.13.0" in lines
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    project = (ROOT / "pyproject.toml").read_text()
    for block in re.findall(r"^(?:dependencies|test) = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL):
        for name in re.findall(r'"([A-Za-z0-9._-]+)', block):
            assert name.lower().replace("_", "-") in pinned, name


def test_every_module_says_what_it_is():
    for module in MODULES:
        assert ast.get_docstring(ast.parse((ROOT / module).read_text())), module


def test_every_room_is_part_of_the_package_that_is_built():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    rooms = {".".join(("brodmann", *module.parent.parts)) for module in MODULES}
    assert sorted(listed) == sorted(rooms)
