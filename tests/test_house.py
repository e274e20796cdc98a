"""The rules of the house: floors, imports, a light start, the README's commands."""

import ast
import importlib.util
import os
import re
import shutil
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


BORDER = (
    "brain_data/formats/brainio.py",
    "bench/brainscore_plugins/",
    "bench/leaderboard/storage/",
    "bench/results/as_score.py",
)
"""Where Brain-Score's package may be imported: everything else outlives it."""


def imports_brainscore(source):
    """Whether `brainscore_core` is imported anywhere in it, for types too."""
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        if any(name.split(".")[0] == "brainscore_core" for name in names):
            return True
    return False


def test_brainscore_stays_at_the_border():
    inside = {module.as_posix() for module in MODULES if imports_brainscore((ROOT / module).read_text())}
    assert {name for name in inside if not name.startswith(BORDER)} == set()
    assert {"bench/leaderboard/storage/models.py", "bench/results/as_score.py"} <= inside


def test_a_leaderboard_without_brainscore_says_what_is_missing(tmp_path):
    for words in (["leaderboard", "serve"], ["leaderboard", "tokens"], ["submit", str(tmp_path)]):
        code = (
            "import sys; sys.modules['brainscore_core'] = None; sys.argv[1:] = "
            f"{words!r}; from brodmann.bench.cli.main import main; main()"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 2, words
        assert done.stderr.strip().splitlines() == [
            "brodmann: a leaderboard needs the package brainscore-core, which has its tables: "
            "pip install 'brainscore-core>=2.5'"
        ]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_imports_the_package_by_its_name(module):
    list(imports(module))


def lint_imports(folder=ROOT, path=None):
    """The contracts of pyproject.toml, on the package as it is found on `path`."""
    environment = dict(os.environ)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()",
         "--no-cache", "--no-logo"],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip


def test_no_floor_imports_upward_and_no_rooms_or_modules_in_a_circle():
    done = lint_imports()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Contracts: 2 kept, 0 broken." in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("models/sheet.py", "def far():\n    from ..bench.scoring import score\n", "A floor imports only"),
        ("errors.py", "from .brain_data.card import DatasetCard\n", "A floor imports only"),
        ("analysis/statistics/resampling.py", "from .paired_tests import t_interval\n", "No circle"),
        (
            "bench/results/store.py",
            "def far():\n    from ..reports.tables import layers_table\n",
            "No circle",
        ),
        ("stray.py", '"""On no floor."""\n', "A floor imports only"),
    ],
)
def test_the_contracts_see_what_they_forbid(module, line, contract, tmp_path):
    """A copy of the package with one import, or one module, too many."""
    for one in MODULES:
        place = tmp_path / "brodmann" / one
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / one, place)
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    assert lint_imports(tmp_path, tmp_path).returncode == 0
    with (tmp_path / "brodmann" / module).open("a") as stream:
        stream.write(line)
    done = lint_imports(tmp_path, tmp_path)
    assert done.returncode == 1
    assert f"{contract}" in next(one for one in done.stdout.splitlines() if "BROKEN" in one)


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


def test_the_table_of_rooms_is_the_house_as_it_stands():
    """Every room of CONTRIBUTING.md is a folder with modules, and every such folder and front module is in it."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = text.partition("| floor |")[2].partition("\n\n")[0].splitlines()[2:]
    told, floor = set(), ""
    for line in table:
        for name in re.findall(r"`([^`]+)`", line):
            if name.strip("/") in FLOORS:
                floor = name.strip("/")
                continue
            if line.startswith("| 0 "):
                floor = ""
            room, _, inner = name.partition("{")
            told.add(Path(floor, room if "/" in name else f"{room}.py"))
            told |= {Path(floor, room, one) for one in inner.strip("}").split(",") if one}
    rooms = {module.parent for module in MODULES} - {Path(floor) for floor in FLOORS}
    fronts = {one for one in MODULES if str(one.parent) in (".", *FLOORS) and one.name[0] != "_"}
    assert told == rooms | fronts


def test_every_module_of_the_rooms_that_compute_is_broken_at_night_or_says_why_not():
    """The lists of tests/mutants.py are whole, and the files that are asked exist."""
    place = importlib.util.spec_from_file_location("mutants", ROOT / "tests/mutants.py")
    mutants = importlib.util.module_from_spec(place)
    place.loader.exec_module(mutants)
    rooms = ("analysis/spatial", "analysis/representation", "analysis/statistics", "analysis/encoding",
             "bench/metrics", "models/topography")  # fmt: skip
    there = {str(one) for one in MODULES if str(one.parent) in rooms and one.name != "__init__.py"}
    single = {"brain_data/noise_ceiling.py", "models/extraction/language_model.py"}
    named = set(mutants.MODULES) | set(mutants.WITHOUT_NUMBERS)
    assert there | single <= named
    assert named <= set(map(str, MODULES))
    assert not set(mutants.MODULES) & set(mutants.WITHOUT_NUMBERS)
    for files in mutants.MODULES.values():
        assert all((ROOT / "tests" / file).is_file() for file in files)


def test_a_decorated_function_is_written_as_one_that_mutants_may_change():
    place = importlib.util.spec_from_file_location("mutants", ROOT / "tests/mutants.py")
    mutants = importlib.util.module_from_spec(place)
    place.loader.exec_module(mutants)
    source = (
        "import functools\n\n\ndef twice(f):\n    return lambda *a: 2 * f(*a)\n\n\n@twice\n@functools.wraps(abs)\n"
        "def f(x):\n    return x\n\n\n@twice\n@twice\ndef g(x):\n    return x\n\n\nclass C:\n    @property\n"
        "    def p(self):\n        return 3\n\n    @staticmethod\n    def s():\n        return 4\n"
        "\n\n@lru_cache(maxsize=4)\ndef h(x):\n    return [x]\n"
    )
    found = mutants.undecorated(source)
    assert found.count("@") == 3  # one is dotted and keeps its neighbour, one mutmut knows
    names: dict = {}
    exec(found, names)
    assert (names["f"](1), names["g"](1), names["C"]().p, names["C"].s()) == (2, 4, 3, 4)
    assert names["h"](1) is not names["h"](1)
