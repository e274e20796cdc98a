"""A registry finds what a folder and installed packages register, and says in one line what it cannot."""

import importlib
import sys
import warnings

import pytest

from brodmann.errors import UserError
from brodmann.registry import Registry


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A package with a registry, a folder of two siblings, and an installed package that adds a third thing."""
    folder = tmp_path / "house"
    (folder / "shapes").mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "from brodmann.registry import Registry\nSHAPES = Registry('shape', 'house.shapes', 'house.shapes')\n"
    )
    (folder / "shapes" / "__init__.py").write_text("")
    for name, corners in (("triangle", 3), ("square", 4)):
        (folder / "shapes" / f"{name}.py").write_text(
            f"from .. import SHAPES\n\n"
            f"@SHAPES.registering({name!r}, lambda f: f())\ndef shape():\n    return {corners}\n"
        )
    (tmp_path / "guest.py").write_text("from house import SHAPES\nSHAPES.register('pentagon', 5, __name__)\n")
    information = tmp_path / "guest-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[house.shapes]\nguest = guest\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("brodmann.registry._FAILED", set())
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] in ("house", "guest")]:
        del sys.modules[name]


def test_siblings_and_installed_packages_are_found_when_the_registry_is_read(room):
    from house import SHAPES

    assert "house.shapes.square" not in sys.modules
    assert dict(SHAPES) == {"square": 4, "triangle": 3, "pentagon": 5}
    assert SHAPES.origin("pentagon") == "guest"
    assert SHAPES.origin("square") == "house.shapes.square"


def test_a_new_file_is_all_that_is_needed(room):
    (room / "house" / "shapes" / "hexagon.py").write_text(
        "from .. import SHAPES\nSHAPES.register('hexagon', 6, __name__)\n"
    )
    from house import SHAPES

    assert SHAPES["hexagon"] == 6


def test_an_unknown_name_lists_the_close_ones(room):
    from house import SHAPES

    with pytest.raises(UserError, match=r"unknown shape 'sqare': did you mean 'square'"):
        SHAPES["sqare"]


def test_two_things_of_one_name_are_refused_with_both_places(room):
    from house import SHAPES

    with pytest.raises(UserError, match=r"shape 'square' of elsewhere has the name of one of house\.shapes"):
        assert len(SHAPES) == 3
        SHAPES.register("square", 5, "elsewhere")
    assert SHAPES["square"] == 4


TWO_REGISTRIES = (
    "from brodmann.registry import Registry\n"
    "SHAPES, COLORS = (Registry(kind, 'house.shapes', 'house.shapes') for kind in ('shape', 'color'))\n"
)


def test_two_things_of_one_name_in_one_module_are_refused(room):
    (room / "house" / "shapes" / "star.py").write_text(
        "from .. import SHAPES\nfor corners in (5, 6):\n    SHAPES.register('star', corners, __name__)\n"
    )
    from house import SHAPES

    with pytest.raises(UserError, match=r"shape 'star' of house\.shapes\.star has the name of one of house"):
        SHAPES["star"]


def test_a_notebooks_cell_and_a_module_of_ones_own_can_be_run_again(room):
    from house import SHAPES

    for corners in (5, 6):
        SHAPES.register("star", corners, "__main__")
    assert SHAPES["star"] == 6
    (room / "guest_of_ones_own.py").write_text(
        "from house import SHAPES\nSHAPES.register('ring', 0, __name__)\n"
    )
    importlib.reload(importlib.import_module("guest_of_ones_own"))
    assert SHAPES["ring"] == 0


def test_a_package_that_fails_leaves_nothing_behind_in_any_registry(room):
    (room / "house" / "__init__.py").write_text(TWO_REGISTRIES)
    (room / "guest.py").unlink()
    (room / "guest").mkdir()
    (room / "guest" / "__init__.py").write_text(
        "from . import red\nfrom house import SHAPES\nSHAPES.register('pentagon', 5, __name__)\n1 / 0\n"
    )
    (room / "guest" / "red.py").write_text("from house import COLORS\nCOLORS.register('red', 1, __name__)\n")
    from house import COLORS, SHAPES

    with pytest.warns(UserWarning, match="ZeroDivisionError"):
        assert list(SHAPES) == ["square", "triangle"]
    assert not list(COLORS)


def test_a_package_that_fails_is_said_once_in_one_line(room):
    (room / "house" / "__init__.py").write_text(TWO_REGISTRIES)
    (room / "guest.py").write_text("raise RuntimeError('no tables\\nnor chairs')\n")
    from house import COLORS, SHAPES

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert len(SHAPES) == 2
        assert not COLORS
    assert [str(one.message) for one in said] == [
        "the shape 'guest' of guest is left out: RuntimeError: no tables"
    ]
    assert warnings.formatwarning(said[0].message, UserWarning, said[0].filename, 1).count("\n") == 1


def test_what_a_package_prints_while_it_is_imported_stays_out_of_the_answer(room, capsys):
    (room / "guest.py").write_text("print('welcome')\n")
    from house import SHAPES

    assert len(SHAPES) == 2
    assert capsys.readouterr() == ("", "welcome\n")


def test_an_installed_package_that_fails_is_said_and_stops_nothing(room):
    (room / "guest.py").write_text("import no_such_module\n")
    from house import SHAPES

    with pytest.warns(UserWarning, match=r"the shape 'guest' of guest is left out: .*no_such_module"):
        assert dict(SHAPES) == {"square": 4, "triangle": 3}


def test_a_registry_is_read_only():
    with pytest.raises(TypeError):
        Registry("shape", "house.shapes", "house.shapes")["a"] = 1
