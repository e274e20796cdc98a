"""The code that a number passes through is found by imports; comments and docstrings are no code."""

import pytest

from brodmann.source_digest import code_digest, imported_by

FILES = {
    "__init__.py": "",
    "errors.py": "class UserError(Exception): pass\n",
    "low/__init__.py": "",
    "low/__init__.pyi": "from .sums import total as total\n",
    "low/sums.py": "def total(x):\n    return sum(x)\n",
    "low/unused.py": "def other(x):\n    return x\n",
    "high/__init__.py": "",
    "high/mean.py": (
        '"""Means."""\nfrom typing import TYPE_CHECKING\n'
        "from ..errors import UserError\nfrom ..low import total\n"
        "if TYPE_CHECKING:\n    from .shown import draw\n"
        "def mean(x):\n    # of all\n    from .inner import count\n    return total(x) / count(x)\n"
    ),
    "high/inner.py": "from ..low import sums\ndef count(x):\n    '''How many.'''\n    return len(x)\n",
    "high/shown.py": "from .mean import mean\ndef draw(x):\n    return mean(x)\n",
}


@pytest.fixture
def package(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_imports_are_followed_in_functions_and_through_fronts_and_not_for_type_checkers(package):
    assert imported_by(["high.mean"], package) == {"high.mean", "high.inner", "low.sums"}
    assert imported_by(["high.shown"], package) == {"high.shown", "high.mean", "high.inner", "low.sums"}


def test_editing_any_file_changes_the_digests_of_those_that_import_it(package):
    before = {name: code_digest([name], package) for name in ("high.mean", "high.shown", "low.unused")}
    for name, text in FILES.items():
        (package / name).write_text(text + "edited = 1\n")
        changed = {root for root, old in before.items() if code_digest([root], package) != old}
        (package / name).write_text(text)
        module = name.removesuffix(".py").replace("/", ".")
        assert changed == {root for root in before if module in imported_by([root], package)}, name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# of all", "# of every one"),
        ("    # of all\n", ""),
        ('"""Means."""', '"""Means of numbers."""'),
        ("def mean", "\n\ndef mean"),
        ("import count", "import count  # late"),
    ],
)
def test_comments_docstrings_and_blank_lines_are_no_code(package, old, new):
    before = code_digest(["high.mean"], package)
    path = package / "high" / "mean.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert code_digest(["high.mean"], package) == before
    path.write_text(path.read_text().replace("/ count(x)", "* count(x)"))
    assert code_digest(["high.mean"], package) != before
