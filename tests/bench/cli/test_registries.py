"""`brodmann list`: what every registry knows, of this package and of others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run_brodmann

from brodmann.bench.cli.registries import KINDS

PLUGIN = '''
"""A metric with a normalization and a kind of ceiling of its own, and a panel, from outside the package."""

from brodmann.bench.metrics.registries import ceiling_kind, metric, normalization
from brodmann.bench.reports.panel import Panel, panel


@normalization("cubed", sentence="the cube of r", formula="r^3")
def cubed(r, ceiling):
    return r.mean(axis=(-2, -1)) ** 3


@ceiling_kind("wished", "what one would wish for")
def wished(value):
    return value


@metric("agreement", sentence="how far both agree", formula="r of everything")
class Agreement:
    pass


@panel("dots", title="Dots", order=200, sentence="A dot a score.")
def dots(comparison):
    return [Panel(comparison.scores[["model", "score"]], lambda style: style.figure(30))]
'''
EXPECTED = {"normalizations": "cubed", "ceilings": "wished", "metrics": "agreement", "panels": "dots"}


@pytest.fixture
def plugin(tmp_path):
    """A folder that holds an installed package, as pip lays it out."""
    (tmp_path / "outsiders.py").write_text(PLUGIN)
    about = tmp_path / "brodmann_outsiders-2.3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: brodmann-outsiders\nVersion: 2.3\n")
    (about / "top_level.txt").write_text("outsiders\n")
    (about / "entry_points.txt").write_text(
        "[brodmann.metrics]\noutsiders = outsiders\n[brodmann.panels]\noutsiders = outsiders\n"
    )
    return tmp_path


def listed(*words):
    done = run_brodmann("list", *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_kind_is_listed_with_where_it_comes_from():
    found = listed()
    assert list(found) == list(KINDS)
    for kind, things in found.items():
        assert things, kind
        assert all(thing["name"] and thing["what"] for thing in things), kind
        assert {thing["from"] for thing in things} == {"brodmann"}, kind


def test_what_another_package_adds_is_listed_described_and_drawn(plugin, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(plugin), os.environ.get("PYTHONPATH", "")]))
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from records import record\n"
        "from brodmann.bench.cli.main import main\n"
        "from brodmann.bench.reports.collect import Comparison\n"
        "from brodmann.bench.reports.methods import methods\n"
        "from brodmann.bench.reports.panel import panels\n"
        "one = record(metric='agreement', ceiling_kind='wished', normalisation='cubed', "
        "ceiling_lower=None)\n"
        "one |= {'normalization': 'cubed'}\n"
        "print(methods([one])[0])\n"
        "print([panel.name for panel in panels(Comparison([one], [{}]))])\n"
        "sys.argv = ['brodmann', 'list', '--json']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said, shown, content = done.stdout.splitlines()
    for words in ("How far both agree.", "r of everything", "the cube of r", "what one would wish for"):
        assert words in said
    assert "dots" in shown
    for kind, name in EXPECTED.items():
        thing = {one["name"]: one for one in json.loads(content)[kind]}[name]
        assert thing["from"] == "brodmann-outsiders 2.3"


def test_one_kind_and_one_that_is_not_there():
    assert set(listed("metrics")) == {"metrics"}
    done = run_brodmann("list", "metrisc")
    assert done.returncode == 2
    assert "unknown kind of thing 'metrisc': did you mean 'metrics'" in done.stderr
