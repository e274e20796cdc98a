"""Fingerprints differ wherever two objects would compute something else, and nowhere else."""

import functools
import re
import subprocess
import sys
import textwrap
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property, partial
from threading import Lock

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from brodmann.fingerprint import fingerprint

FACTOR = 2


def digest(*objects):
    return fingerprint(*objects).digest


def defined(source, name="made", **names):
    """What a source text defines, as in a console or a notebook."""
    space = {"__name__": "__main__", **names}
    exec(textwrap.dedent(source), space)
    return space[name]


@dataclass(frozen=True)
class Options:
    alpha: float = 1.0
    names: tuple[str, ...] = ("a", "b")
    table: dict[str, int] = field(default_factory=dict)

    @cached_property
    def doubled(self):
        return 2 * self.alpha


VALUES = [
    None,
    True,
    1,
    1.0,
    "1",
    b"1",
    (1, 2),
    [1, 2],
    (2, 1),
    {1, 2},
    {"a": 1},
    {"a": 2},
    {"b": 1},
    np.arange(3),
    np.arange(3.0),
    np.arange(3)[::-1],
    np.array(["a", None], object),
    torch.arange(3),
    torch.arange(3.0),
    torch.arange(3.0, dtype=torch.float64),
    pd.DataFrame({"a": [1, 2]}),
    pd.DataFrame({"a": [1, 3]}),
    pd.Series([1, 2], name="a"),
    xr.DataArray([1, 2], dims="x"),
    xr.DataArray([1, 2], dims="y"),
    Options(),
    Options(alpha=2.0),
    Options(table={"a": 1}),
    Options,
    partial(max, 1),
    partial(max, 2),
    partial(min, 1),
    np.dtype("float32"),
    torch.float32,
    np.add,
    len,
]


def test_different_values_have_different_digests_and_equal_ones_the_same():
    digests = [digest(value) for value in VALUES]
    assert len(set(digests)) == len(VALUES)
    assert digests == [digest(value) for value in VALUES]


def test_the_order_of_sets_means_nothing_and_that_of_mappings_and_lists_something():
    assert digest({"a": 1, "b": 2}) != digest({"b": 2, "a": 1})
    assert digest({"x", "y", "z"}) == digest({"z", "y", "x"})
    assert digest(["a", "b"]) != digest(["b", "a"])


def test_what_an_object_keeps_of_its_own_answers_does_not_count():
    options = Options(alpha=3.0)
    before = digest(options)
    assert options.doubled == 6.0
    assert digest(options) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("made = lambda x: x + 1", "made = lambda x: x + 2"),
        ("made = lambda x: x + 1", "made = lambda x: x - 1"),
        ("def made(x, y=1): return x", "def made(x, y=2): return x"),
        ("def made(x, *, y=1): return x", "def made(x, *, y=2): return x"),
        ("SCALE = 1\ndef made(x): return SCALE * x", "SCALE = 2\ndef made(x): return SCALE * x"),
        ("def f(x): return x\ndef made(x): return f(x)", "def f(x): return -x\ndef made(x): return f(x)"),
        ("def made(x): return [y + 1 for y in x]", "def made(x): return [y + 2 for y in x]"),
        ("def made(x): return x in {'a', 'b'}", "def made(x): return x in {'a', 'c'}"),
        ("class made:\n def f(self): return 0.25", "class made:\n def f(self): return 0.75"),
        ("class made:\n size = 1", "class made:\n size = 2"),
        (
            "class B:\n def f(self): return 1\nclass made(B): pass",
            "class B:\n def f(self): return 2\nclass made(B): pass",
        ),
        (
            "class made:\n @property\n def f(self): return 1",
            "class made:\n @property\n def f(self): return 2",
        ),
        (
            "class made:\n @staticmethod\n def f(): return 1",
            "class made:\n @staticmethod\n def f(): return 2",
        ),
        (
            "import numpy as np\nmade = lambda x: np.sum(x)",
            "import numpy as np\nmade = lambda x: np.prod(x)",
        ),
        (
            "import numpy as np\nmade = np.frompyfunc(lambda x: x + 1, 1, 1)",
            "import numpy as np\nmade = np.frompyfunc(lambda x: x + 2, 1, 1)",
        ),
        (
            "class M(type):\n def __call__(cls): return 1\nclass made(metaclass=M): pass",
            "class M(type):\n def __call__(cls): return 2\nclass made(metaclass=M): pass",
        ),
        (
            "class F(float):\n def scaled(self): return self * 1\nmade = F(3)",
            "class F(float):\n def scaled(self): return self * 2\nmade = F(3)",
        ),
        (
            "class S(str):\n def __repr__(self): return ''\nmade = S('a')",
            "class S(str):\n def __repr__(self): return ''\nmade = S('b')",
        ),
        (
            "class S(str): pass\nmade = S('a'); made.weight = 1",
            "class S(str): pass\nmade = S('a'); made.weight = 2",
        ),
        (
            "from enum import Enum\nclass E(str, Enum):\n A = 'a'\n def f(self): return 1\nmade = E.A",
            "from enum import Enum\nclass E(str, Enum):\n A = 'a'\n def f(self): return 2\nmade = E.A",
        ),
    ],
)
def test_edited_code_has_another_digest(one, other):
    assert digest(defined(one)) != digest(defined(other))
    assert digest(defined(one)) == digest(defined(one))
    assert digest(defined(one)) == digest(defined("\n# a comment\n" + one))


def test_what_a_function_encloses_counts():
    def shifted(by):
        return lambda x: x + by

    assert digest(shifted(1)) == digest(shifted(1))
    assert digest(shifted(1)) != digest(shifted(2))
    assert digest(shifted(np.zeros(3))) != digest(shifted(np.ones(3)))


def test_a_function_of_another_module_of_ones_own_counts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    digests = []
    for value in (1, 2):
        (tmp_path / f"helper_{value}.py").write_text(f"def f(x):\n    return x + {value}\n")
        digests.append(digest(defined(f"import helper_{value} as helper\nmade = lambda x: helper.f(x)")))
    assert digests[0] != digests[1]


def test_installed_packages_count_by_name_and_their_versions_stand_apart():
    found = fingerprint(pd.DataFrame, torch.nn.Linear)
    assert found.packages == {"pandas", "torch"}
    assert found.versions["pandas"] == pd.__version__


def test_an_object_that_contains_itself_ends():
    loop = []
    loop.append(loop)
    assert digest(loop) == digest(loop)


def test_what_cannot_be_read_is_never_taken_for_what_was_kept():
    def generator():
        yield 1

    running = generator()
    assert digest(running) != digest(running)


def test_a_lock_is_nothing_that_a_number_depends_on():
    class Guarded:
        def __init__(self, value):
            self.value, self.lock = value, Lock()

    assert digest(Guarded(1)) == digest(Guarded(1))
    assert digest(Guarded(1)) != digest(Guarded(2))


@functools.lru_cache
def in_a_new_process(hash_seed):
    code = """
        from brodmann.fingerprint import fingerprint
        from brodmann.models import ImagePreprocessing
        def f(x):
            return x in {"a", "b", "c"}, {"d": 1, "e": 2}
        class Metric:
            names = frozenset({"x", "y", "z"})
            def evaluate(self, value):
                return f(value)
        import numpy
        from scipy.stats import norm
        p_value = lambda x: norm.sf(x) + numpy.random.rand()
        print(fingerprint(f, Metric(), ImagePreprocessing(32), p_value).digest)
    """
    environment = {**__import__("os").environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.strip()


def test_another_process_gives_the_same_digest():
    assert len(in_a_new_process("1")) == 64
    assert in_a_new_process("1") == in_a_new_process("2")


def test_what_was_met_before_is_never_taken_for_something_else():
    def f():
        return 1

    def g():
        return 2

    assert digest([[f], g, f]) != digest([[f], g, g])


def wrapped(function, by):
    @functools.wraps(function)
    def changed(x):
        return function(x) * by

    return changed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.array([0.1]).sum, np.array([0.6]).sum),
        (re.compile("a").findall, re.compile("b").findall),
        (re.compile("a"), re.compile("b")),
        (np.ma.masked_equal([1, 2], 1), np.ma.masked_equal([1, 2], 2)),
        (defaultdict(lambda: 0.1), defaultdict(lambda: 0.6)),
        (wrapped(np.linalg.norm, 1), wrapped(np.linalg.norm, 2)),
        (torch.eye(2).to_sparse(), (2 * torch.eye(2)).to_sparse()),
        (torch.tensor([1j]).conj(), torch.tensor([2j]).conj()),
        (list[int], list[str]),
        (int | str, int | float),
    ],
)
def test_state_that_stands_behind_an_object_counts(one, other):
    assert digest(one) == digest(one)
    assert digest(one) != digest(other)


def test_attributes_of_a_function_count():
    def f(x):
        return f.w * x

    f.w = 0.1
    before = digest(f)
    f.w = 0.6
    assert digest(f) != before


@pytest.mark.parametrize("folder", ["", "folder_without_init"])
def test_a_module_that_a_function_imports_when_it_runs_counts(tmp_path, monkeypatch, folder):
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / folder / f"late{folder}.py"
    path.parent.mkdir(exist_ok=True)
    name = f"{folder}.late{folder}" if folder else "late"
    made = defined(f"def made(x):\n    from {name} import k\n    return k(x)")
    digests = []
    for value in (1, 2):
        path.write_text(f"def k(x):\n    return x + {value}\n")
        digests.append(digest(made))
    assert digests[0] != digests[1]
    assert digest(made) == digests[1]


def test_what_a_tokenizer_bears_of_its_own_counts_and_where_it_lay_does_not(tmp_path):
    from tokenizers import Tokenizer, models
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="b"))
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="b", pad_token="a").save_pretrained(
        tmp_path / "here"
    )
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "here")
    before = digest(tokenizer)
    tokenizer(["a b", "a"], truncation=True, max_length=1, padding=True)
    assert digest(tokenizer) == before
    (tmp_path / "here").rename(tmp_path / "there")
    assert digest(AutoTokenizer.from_pretrained(tmp_path / "there")) == before
    tokenizer.replacements = {"a": "b"}
    assert digest(tokenizer) != before
