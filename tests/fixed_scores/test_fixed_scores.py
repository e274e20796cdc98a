"""Scores stay what they were, to the last digit.

BRODMANN_WRITE_BASELINE=1 writes the stored numbers anew: a number that changes needs a reason in the commit.
"""

import json
import math
import os
from pathlib import Path

import pytest
import threadpoolctl
import torch
from score_list import FIXED, REAL, install, machine, numbers

STORED = Path(__file__).with_name("scores.json")
WRITE = bool(os.environ.get("BRODMANN_WRITE_BASELINE"))
ELSEWHERE = 1e-3
"""The relative difference allowed where other kernels than those of then add up in another order.

With AVX2 in place of AVX-512 least squares with more units than pictures differs by 1.4e-4, the ranks of RDMs by 5e-6.
"""
METRICS = {
    "ridge", "linear", "rsa", "rsa_crossnobis", "decoding", "pls", "ridge1", "linear_predictivity",
    "neuron_to_neuron", "ridgecv", "cka", "cka_biased", "rdm", "language_linear", "language_ridge",
}  # fmt: skip
DATA = {
    "simulated-cortex", "simulated-cortex-language", "kriegeskorte2008", "haxby2001-slice", "zhang2011",
    "tang2018", "tuckute2024",
}  # fmt: skip


@pytest.fixture(scope="module")
def stored():
    return json.loads(STORED.read_text()) if STORED.exists() else {"machine": {}, "scores": {}}


def differences(now, then, relative, place=""):
    """Where two trees of numbers differ: to the digit for relative = 0; texts and counts always."""
    if isinstance(then, dict) and isinstance(now, dict):
        found = [f"{place}: {list(now)} != {list(then)}"] if list(now) != list(then) else []
        shared = [name for name in then if name in now and not (relative and name == "sha256")]
        return found + [
            line
            for name in shared
            for line in differences(now[name], then[name], relative, f"{place}/{name}")
        ]
    if isinstance(then, list) and isinstance(now, list) and len(now) == len(then):
        return [
            line
            for i, pair in enumerate(zip(now, then, strict=True))
            for line in differences(*pair, relative, f"{place}/{i}")
        ]
    if relative and isinstance(now, float) and isinstance(then, float):
        same = math.isclose(now, then, rel_tol=relative, abs_tol=relative * 1e-3)
    else:
        same = type(now) is type(then) and repr(now) == repr(then)
    return [] if same else [f"{place}: {now!r} != {then!r}"]


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads add up in another order than one: up to 8e-5 of least squares with more units than pictures."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpoolctl.threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def installed():
    """What this test run has installed: the 9500 pictures of tang2018 are drawn once."""
    return set()


@pytest.mark.parametrize("fixed", FIXED, ids=lambda fixed: fixed.name)
def test_a_score_is_what_it_was(fixed, stored, installed, request, tmp_path):
    if fixed in REAL:
        data, weights = (request.getfixturevalue(name) for name in ("test_data", "test_weights"))
        install(fixed, data, weights, tmp_path, installed)
    score = fixed.score(tmp_path / "run")
    assert not score.attrs["cached"]
    now = numbers(score)
    if WRITE:
        stored["machine"] = machine()
        stored["scores"][fixed.name] = now
        stored["scores"] = {
            one.name: stored["scores"][one.name] for one in FIXED if one.name in stored["scores"]
        }
        STORED.write_text(json.dumps(stored, indent=1, allow_nan=False) + "\n")
        return
    same_kernels = machine() == stored["machine"]
    assert differences(now, stored["scores"][fixed.name], 0.0 if same_kernels else ELSEWHERE) == []


def test_the_list_has_every_metric_and_every_kind_of_recording(stored):
    assert {fixed.benchmark.rpartition("-")[2] for fixed in FIXED} == METRICS
    assert {fixed.dataset.removesuffix("-part") for fixed in FIXED} == DATA
    assert [fixed.name for fixed in FIXED] == list(stored["scores"])
    assert len(FIXED) == len(set(FIXED)) == 43


def test_a_difference_in_the_last_digit_is_seen(stored):
    """The comparison itself: one unit in the last place of any number, a text, a count."""
    then = next(iter(stored["scores"].values()))
    assert differences(then, then, 0.0) == []
    for name in ("score", "raw", "ceiling", "p"):
        changed = then | {name: math.nextafter(then[name], 2.0)}
        assert len(differences(changed, then, 0.0)) == 1
        assert differences(changed, then, ELSEWHERE) == []
        assert len(differences(then | {name: then[name] * (1 + 1e-2)}, then, ELSEWHERE)) == 1
    for name, value in (
        ("layer", "simple"),
        ("n_stimuli", then["n_stimuli"] + 1),
        ("ceiling", None),
        ("left_out", {"a": 1}),
    ):
        assert differences(then | {name: value}, then, ELSEWHERE) != []
