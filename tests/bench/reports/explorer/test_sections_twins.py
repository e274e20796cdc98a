"""Dictionaries and networks whose twins are known: the same features in another order."""

import numpy as np
import pytest
from planted_layers import chosen, dictionary, inside_of, texts

from brodmann.bench.reports.explorer.looked import Asked, Looked
from brodmann.bench.reports.explorer.sections.twins import twins

ORDER = np.random.default_rng(3).permutation(40)


@pytest.fixture(scope="module")
def permuted():
    looked, _, _ = texts()
    other = Looked("s0", "s0", looked.inside, chosen(looked.dictionary, ORDER))
    return twins(other, Asked(others=[other]))


def test_a_copy_in_another_order_is_found_feature_by_feature(permuted):
    for i, entry in enumerate(permuted.entries["feature"]):
        (match,) = entry["matches"]
        assert (match["site"], match["of"], match["id"]) == (
            None,
            "feature",
            int(np.flatnonzero(i == ORDER)[0]),
        )
        for number in ("cosine", "r", "held_out_r"):
            assert match[number] == pytest.approx(1, abs=1e-5)
    (column,) = permuted.columns["feature"]
    np.testing.assert_allclose(column.values, 1, atol=1e-5)


def test_the_twin_is_described_by_its_tokens(permuted):
    looked, _, known = texts()
    model = looked.inside.model
    from brodmann.analysis.interpretability.lenses.token_texts import shown, token_texts

    words = [shown(one) for one in token_texts(model.tokenizer, known.tolist())]
    for i, entry in enumerate(permuted.entries["feature"]):
        assert entry["matches"][0]["text"] == f"fires on {words[i]} (100 % of its activity)"


def test_floors_lie_below_and_say_what_they_are(permuted):
    controls = {one["kind"]: one for one in permuted.controls}
    assert controls["the other seed, median of all"]["r"] == pytest.approx(1, abs=1e-5)
    assert controls["untrained dictionary"]["r"] < 0.9
    assert abs(controls["shuffled rows"]["r"]) < 0.1
    assert controls["units"]["r"] > 0.9  # a unit a feature
    assert (
        controls["directions of the layer's covariance"]["cosine"]
        < controls["the other seed, median of all"]["cosine"]
    )
    beside = {one["kind"]: one["value"] for one in permuted.columns["feature"][0].beside}
    assert beside["shuffled rows"] == controls["shuffled rows"]["r"]


def test_a_feature_that_came_apart_shows_its_parts():
    looked, _, _ = texts()
    parts = np.concatenate([np.eye(40, 64), np.eye(1, 64)])  # feature 0 twice
    parts[40, 50] = parts[0, 51] = 0.3
    other = Looked("s0", "s0", looked.inside, dictionary(parts))
    entries = twins(other, Asked(others=[other])).entries["feature"]
    splits = entries[0]["matches"][0]["splits"]
    assert {one[0] for one in splits} == {0, 40}
    assert all(one[1] == pytest.approx(1 / np.hypot(1, 0.3), abs=1e-5) for one in splits)
    assert all("splits" not in match for entry in entries[1:] for match in entry["matches"])


def test_features_and_units_of_another_network_are_found_where_they_are():
    one, _, _ = texts()
    there, _, _ = texts(seed=9, key="s1")
    shuffled = there.inside.read.values[:, np.random.default_rng(4).permutation(64)]
    read = type(there.inside.read)(
        shuffled, there.inside.read.stimulus, there.inside.read.place, there.inside.read.token
    )
    order = np.random.default_rng(4).permutation(64)
    encoder = np.eye(64)[[int(np.flatnonzero(order == i)[0]) for i in range(40)]][ORDER]
    other = Looked(
        "s1", "the other", inside_of(one.inside.model, there.inside.part, read, dictionary(encoder))
    )
    section = twins(one, Asked(others=[one, other]))
    for i in range(40):
        (feature,) = section.entries["feature"][i]["matches"]
        (unit,) = section.entries["unit"][i]["matches"]
        assert (feature["site"], feature["of"], feature["where"]) == ("s1", "feature", "the other")
        assert feature["id"] == int(np.flatnonzero(i == ORDER)[0])
        assert 0.8 < feature["held_out_r"] < 1  # sizes differ
        assert (unit["of"], unit["id"]) == ("unit", int(np.flatnonzero(order == i)[0]))
    assert {(one["of"], one["site"]) for one in section.controls} == {("feature", "s1"), ("unit", "s1")}
    assert [one.name for one in section.columns["unit"]] == ["twin.r.s1"]
    assert "twins: there is no dictionary of another seed (--against)" in section.left_out


def test_without_a_dictionary_there_a_feature_finds_a_unit():
    one, _, _ = texts()
    other = Looked(
        "s1", "s1", texts(seed=9)[0].inside.__class__(one.inside.model, "planted", one.inside.part)
    )
    other.inside.__dict__.update({"part": one.inside.part, "read": one.inside.read})
    section = twins(one, Asked(others=[one, other]))
    for i in range(40):
        (match,) = section.entries["feature"][i]["matches"]
        assert (match["of"], match["id"]) == ("unit", i)


def test_layers_that_saw_other_tokens_are_not_compared():
    one, part, _ = texts()
    read, n = one.inside.read, 31 * 24
    fewer = type(read)(read.values[:n], read.stimulus[:n], read.place[:n], read.token[:n])
    other = Looked("s1", "short", inside_of(one.inside.model, part.taken(range(24)), fewer, None))
    section = twins(one, Asked(others=[one, other]))
    assert any("short has other tokens" in line for line in section.left_out)
    assert not section.entries
