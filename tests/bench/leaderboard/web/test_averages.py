"""Averages and ranks of boards whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")

from brodmann.bench.leaderboard.storage.snapshot import BenchmarkEntry, ModelEntry, ScoreEntry, Snapshot
from brodmann.bench.leaderboard.web.ranking import Selection, table_of
from brodmann.errors import UserError

R, R2 = "r, of the ceiling", "r², of the ceiling"
NETWORK = "language network"


def benchmark(number, name, place=("IT",), scale=R, declared=True, domain="vision"):
    return BenchmarkEntry(
        id=number, identifier=name, version=1, slug=name, domain=domain, kind="neural", dataset="d", region=place[-1],
        metric="ridge", description="", unit="", lower_is_better=False, simulated=False, license="", citation="",
        ceiling=0.6, ceiling_kind="reliability", ceiling_lower=None, ceiling_upper=None, data_digest="ab" * 32,
        declared=declared, scale=scale, place=place, newest=True,
    )  # fmt: skip


def model(number, name, domain="vision"):
    return ModelEntry(identifier=name, domain=domain, id=number, slug=name, owner="ada")


def board(benchmarks, values, errors=None, draws=None, marks=None, seeds=None, domain="vision"):
    """A board of values[model][benchmark]."""
    names = list(values)
    ids = {one.identifier: one.id for one in benchmarks}
    scores = {}
    for m, name in enumerate(names, 1):
        for key, value in values[name].items():
            number = 100 * m + ids[key]
            scores[m, ids[key]] = ScoreEntry(
                number, m, ids[key], 1, value, (errors or {}).get((name, key)), None,
                {"seed": (seeds or {}).get(name, 0), "n_bootstraps": 1000},
                (marks or {}).get((name, key), {}),
            )  # fmt: skip
    kept = {100 * (names.index(n) + 1) + ids[k]: arrays for (n, k), arrays in (draws or {}).items()}
    models = {m: model(m, name, domain) for m, name in enumerate(names, 1)}
    return Snapshot(1, models, {one.id: one for one in benchmarks}, scores, {}, kept)


def shown(snapshot, **asked):
    table = table_of(snapshot, Selection(**asked))
    return table, {row.model.name: row for row in table.rows}


def test_scores_of_two_scales_are_never_averaged():
    """r 0.8 and r squared 0.2 are no 0.5."""
    columns = [benchmark(1, "a"), benchmark(2, "b"), benchmark(3, "c", scale=R2)]
    now = board(columns, {"net": {"a": 0.8, "b": 0.6, "c": 0.2}, "other": {"a": 0.1, "b": 0.1, "c": 0.9}})
    table, rows = shown(now)
    assert (table.scale, table.scales, table.n_brain) == (R, [R, R2], 2)
    assert rows["net"].values["average"] == pytest.approx(0.7)
    assert [row.rank for row in table.rows] == [1, 2]
    squared, rows = shown(now, scale=R2)
    assert rows["net"].values["average"] == pytest.approx(0.2)
    assert [row.model.name for row in squared.rows] == ["other", "net"]
    assert {one.key: one.group for one in table.columns} == {
        "average": "", "region:IT": "IT", "a": "IT", "b": "IT", "c": R2,
    }  # fmt: skip
    with pytest.raises(UserError, match="scale"):
        shown(now, scale="r^3")


def test_regions_lie_in_larger_ones():
    """hIT and mIT are IT: average = (V1 + (hIT + mIT) / 2) / 2."""
    columns = [benchmark(1, "h", ("IT", "hIT")), benchmark(2, "m", ("IT", "mIT")), benchmark(3, "v", ("V1",))]
    _, rows = shown(board(columns, {"net": {"h": 0.2, "m": 0.6, "v": 0.9}}))
    assert rows["net"].values["region:IT"] == pytest.approx(0.4)
    assert rows["net"].values["region:hIT"] == pytest.approx(0.2)
    assert rows["net"].values["average"] == pytest.approx(0.65)
    table, _ = shown(board(columns, {"net": {"h": 0.2, "m": 0.6, "v": 0.9}}), region="hIT")
    assert [one.key for one in table.columns if one.benchmark] == ["h"]


def test_four_models_on_two_new_columns_move_nobody():
    """88 models keep their averages and their order, and the new columns say how many were scored."""
    first = [benchmark(i, f"old{i}", (NETWORK,), domain="language") for i in (1, 2, 3)]
    fresh = [
        benchmark(4, "netw", (NETWORK, "netw"), domain="language"),
        benchmark(5, "posttemp", (NETWORK, "PostTemp"), domain="language"),
    ]
    generator = np.random.default_rng(0)
    values = {
        f"net{n}": dict(zip(("old1", "old2", "old3"), generator.random(3), strict=True)) for n in range(88)
    }
    before, rows = shown(board(first, values, domain="language"), domain="language")
    known = {name: row.values["average"] for name, row in rows.items()}
    for n in range(4):
        values[f"net{n}"] = values[f"net{n}"] | {"netw": 0.9, "posttemp": 0.9}
    after, rows = shown(board([*first, *fresh], values, domain="language"), domain="language")
    assert {name: row.values["average"] for name, row in rows.items()} == known
    assert [row.model.name for row in after.rows] == [row.model.name for row in before.rows]
    counted = {one.key: (one.n_scored, one.averaged) for one in after.columns if one.benchmark}
    assert counted == {
        "old1": (88, True), "old2": (88, True), "old3": (88, True), "netw": (4, False), "posttemp": (4, False),
    }  # fmt: skip
    for n in range(44):  # half of them: now it counts for everybody
        values[f"net{n}"] = values[f"net{n}"] | {"netw": 0.9}
    half, _ = shown(board([*first, *fresh], values, domain="language"), domain="language")
    assert {one.key for one in half.columns if one.averaged} == {"old1", "old2", "old3", "netw"}


def test_what_is_undeclared_or_held_has_no_rank():
    columns = [benchmark(1, "a"), benchmark(2, "b", declared=False)]
    values = {"net": {"a": 0.5}, "liar": {"a": 0.99}, "stranger": {"b": 0.99}}
    table, rows = shown(board(columns, values, marks={("liar", "a"): {"held": "above the ceiling"}}))
    assert {name: row.rank for name, row in rows.items()} == {"net": 1, "liar": None, "stranger": None}
    assert rows["liar"].values["average"] is None
    column = next(one for one in table.columns if one.key == "a")
    assert (column.low, column.high, column.n_scored) == (0.5, 0.5, 1)  # the colours, too, are of what counts
    assert next(one.group for one in table.columns if one.key == "b") == "undeclared"
    sorted_by, _ = shown(board(columns, values, marks={("liar", "a"): {"held": "x"}}), sort="a")
    assert sorted_by.rows[0].model.name == "net"


def test_models_that_share_their_stimuli_are_told_apart():
    """Each is uncertain by 0.1, and their difference is always 0.02: the order is sure. Of other stimuli it is not."""
    shared = np.random.default_rng(0).normal(size=1000) * 0.1
    values = {"first": {"a": 0.52}, "second": {"a": 0.5}}
    errors = {(name, "a"): 0.1 for name in values}
    draws = {(name, "a"): {"draws": values[name]["a"] + shared} for name in values}
    _, rows = shown(board([benchmark(1, "a")], values, errors, draws))
    assert (rows["first"].between, rows["second"].between) == ((1, 1), (2, 2))
    _, rows = shown(board([benchmark(1, "a")], values, errors, draws, seeds={"first": 0, "second": 1}))
    assert (rows["first"].between, rows["second"].between) == ((1, 2), (1, 2))
    _, rows = shown(board([benchmark(1, "a")], values, errors))
    assert (rows["first"].between, rows["second"].between) == ((1, 2), (1, 2))


def test_models_that_share_their_groups_of_stimuli_are_told_apart():
    """The same with a jackknife: what one group does to both is the same."""
    without = 0.5 + np.random.default_rng(1).normal(size=40) * 0.003
    arrays = {"replicates_kind": np.array(["jackknife"]), "replicates_n": np.array([40])}
    values = {"first": {"a": 0.52}, "second": {"a": 0.5}}
    draws = {(name, "a"): arrays | {"replicates_samples": without} for name in values}
    error = float(np.sqrt(without.var() * 39)) * 2.0227 / 1.96
    assert error > 0.015
    errors = {(name, "a"): error for name in values}
    _, rows = shown(board([benchmark(1, "a")], values, errors, draws))
    assert (rows["first"].between, rows["second"].between) == ((1, 1), (2, 2))


def test_the_interval_of_a_rank_is_that_of_independent_normals():
    """Two models 1.5 standard errors of their difference apart change places in 6.7 % of draws, 2.5 apart in 0.6 %."""
    for apart, expected in ((1.5, (1, 2)), (2.5, (1, 1))):
        values = {"first": {"a": 0.2 + apart * 0.1 * np.sqrt(2)}, "second": {"a": 0.2}}
        errors = {(name, "a"): 0.1 for name in values}
        _, rows = shown(board([benchmark(1, "a")], values, errors))
        assert rows["first"].between == expected


def test_ties_and_what_has_no_uncertainty():
    values = {"a1": {"a": 0.501}, "a2": {"a": 0.499}, "b": {"a": 0.3}}
    table, _ = shown(board([benchmark(1, "a")], values))
    assert [(row.rank, row.tied, row.between) for row in table.rows] == [
        (1, True, None),
        (1, True, None),
        (3, False, None),
    ]


def test_a_missing_score_counts_0_or_is_skipped():
    columns = [benchmark(1, "a"), benchmark(2, "b")]
    values = {"net": {"a": 0.8}, "other": {"a": 0.6, "b": 0.6}}
    _, rows = shown(board(columns, values))
    assert rows["net"].values["average"] == pytest.approx(0.4)
    _, rows = shown(board(columns, values), missing="skip")
    assert rows["net"].values["average"] == pytest.approx(0.8)


def test_a_newer_version_takes_the_column():
    old, new = benchmark(1, "a"), benchmark(2, "a")
    columns = [replace(old, newest=False), replace(new, version=2)]
    now = board(columns, {"net": {"a": 0.4}})
    assert table_of(now, Selection()).rows[0].values["a"] == 0.4
