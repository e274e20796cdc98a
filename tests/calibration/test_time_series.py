"""The studies of recordings in time at 20 seeds, with three standard errors of slack; 200 behind the slow marker."""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from encoding import alice_folder

FEW = 20


@pytest.fixture(scope="module")
def studies() -> Any:
    return importlib.import_module("time_series").STUDIES


@pytest.mark.parametrize(
    "design",
    [
        "4 stories heard 2 times, noise AR(0.9)",
        "stories of 60 to 260 samples heard twice",
        "heads move, regressed",
        "10 people, one story, noise AR(0.9)",
        "10 people, reliability 0.1, others",
        "10 people, reliability 0.1, group",
    ],
)
def test_what_is_flawless_scores_one(studies, design):
    (row,) = studies[f"ceiling {design}"](range(FEW))
    assert row["no ceiling"] == 0 or "people" in design
    assert row["score"] == pytest.approx(1, abs=0.01 + 3 * 1.25 * row["sd"] / np.sqrt(FEW))
    assert row["sd"] < 0.1


@pytest.mark.parametrize(
    "design", ["3 people, one story, noise AR(0.0)", "10 of unlike neuroids, heard once"]
)
def test_three_people_and_unlike_neuroids_have_no_ceiling(studies, design):
    (row,) = studies[f"ceiling {design}"](range(3))
    assert row["no ceiling"] == 1


def test_a_model_that_keeps_drifts_loses_little_by_them(studies):
    (row,) = studies["ceiling 4 stories heard 3 times, noise AR(0.6)"](range(FEW))
    assert 0.94 < row["with drifts"] < row["score"]


@pytest.mark.parametrize("design", ["1 run, AR(0.6)", "4 runs, AR(0.6)"])
def test_intervals_hold_the_mean_score_of_the_design(studies, design):
    (row,) = studies[f"interval {design}"](range(FEW))
    assert row["own inside"] == 1
    assert row["no interval"] == 0
    assert row["covers"] >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / FEW)


@pytest.mark.parametrize("design", ["1 run of 352, AR(0.8)", "10 runs of 40 to 80, AR(0.8)"])
def test_what_is_unrelated_is_not_significant(studies, design):
    (row,) = studies[f"unrelated: {design}"](range(FEW))
    assert row["p <= .05"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / FEW)


@pytest.mark.parametrize("peak", [4, 7])
def test_a_known_peak_is_found_within_its_interval(studies, peak):
    (row,) = studies[f"peak at {peak} s, 6 runs, TR 2 s"](range(FEW))
    assert row["found"] == pytest.approx(peak, abs=0.15)
    assert row["covers"] >= 0.9 - 3 * np.sqrt(0.1 * 0.9 / FEW)


def names(kinds: Sequence[str]) -> list[str]:
    return [name for name in importlib.import_module("time_series").STUDIES if name.startswith(tuple(kinds))]


@pytest.mark.slow
@pytest.mark.parametrize("name", names(["ceiling", "interval", "unrelated", "peak"]))
def test_two_hundred_seeds(studies, name):
    if "Alice" in name and not alice_folder().is_dir():
        pytest.skip(f"no real files: {alice_folder()} is absent")
    (row,) = studies[name](range(60 if "Alice" in name else 200))
    print({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})
    assert row["holds"]
