"""Descriptions of latents that are known: who wins, how well the winner predicts, and what chance looks like."""

import numpy as np
import pytest
from planted_texts import NAMES, kind, number, reading
from scipy.sparse import csc_array

from brodmann.analysis.interpretability.describe import describe, summary
from brodmann.analysis.interpretability.descriptions.base import FAMILIES
from brodmann.analysis.interpretability.descriptions.evidence import Reading, Seen, parts_of
from brodmann.analysis.interpretability.descriptions.gathered import Evidence
from brodmann.errors import UserError


@pytest.fixture(scope="module")
def shown():
    return reading()


@pytest.fixture(scope="module")
def evidence(shown):
    return Evidence.of(shown)


def magnitudes(n, seed=1):
    return np.random.default_rng(seed).uniform(0.9, 1.1, n)


def test_an_indicator_of_a_token_is_described_by_it_and_predicted_almost_exactly(shown, evidence):
    cat = (kind(shown) == number(" cat")) * 2.0
    (one,) = describe(cat[:, None], evidence)
    assert one.family == "token"
    assert one.r > 0.99
    assert one.detection == 1.0
    assert (one.coverage, one.purity) == (1.0, 1.0)
    assert one.keys[0][0] == " cat"
    assert one.keys[0][2] == pytest.approx(1.0)
    n = int((cat[evidence.parts.describes] > 0).sum())
    assert one.keys[0][1] == pytest.approx(2 * n / (n + 5), rel=1e-6)
    assert one.text.startswith("fires on “cat” (100 % of its mass)")


def test_noise_is_not_described(evidence, shown):
    rng = np.random.default_rng(3)
    noise = np.where(rng.random((len(shown), 60)) < 0.05, rng.uniform(0.5, 1.5, (len(shown), 60)), 0)
    found = describe(noise, evidence)
    assert abs(np.mean([one.r for one in found])) < 0.02
    assert np.median(np.abs([one.r for one in found])) < 0.02
    assert np.mean([one.detection for one in found]) == pytest.approx(0.5, abs=0.03)


def planted(shown):
    """Latents by the family that describes each, all with a little jitter."""
    near = np.zeros(len(shown), bool)
    for offset in (*range(-20, 0), *range(1, 21)):
        near |= kind(shown, offset) == number(" violin")
    latents = {
        "token": np.isin(kind(shown), [number(" the"), number(" sea")]),
        "previous token": kind(shown, -1) == number(" of"),
        "bigram": (kind(shown, -1) == number(" of")) & (kind(shown) == number(" the")),
        "class": shown.position % 32 < 8,  # one of the first eight of its window
        "nearby words": near & (kind(shown) != number(" violin")),
    }
    return {name: one * magnitudes(len(shown)) for name, one in latents.items()}


def test_each_planted_latent_is_won_by_its_family(shown, evidence):
    latents = planted(shown)
    found = describe(np.stack(list(latents.values()), axis=1), evidence)
    assert {name: one.family for name, one in zip(latents, found, strict=True)} == {
        name: name for name in latents
    }
    r = {name: one.r for name, one in zip(latents, found, strict=True)}
    assert min(r[name] for name in ("token", "previous token", "bigram", "class")) > 0.98
    assert r["nearby words"] > 0.7
    texts = {name: one.text for name, one in zip(latents, found, strict=True)}
    assert texts["token"].startswith("fires on “the”, “sea”")
    assert texts["previous token"].startswith("fires after “of”")
    assert texts["bigram"].startswith("fires at “of the”")
    assert texts["class"].startswith("fires early in its window")
    assert texts["nearby words"].startswith("fires near “violin”")


def test_a_class_of_many_tokens_wins_over_its_ten_most_frequent_ones():
    """Numbers of 60 kinds: a table of ten tokens cannot hold them, the regular expression does."""
    plain = reading(seed=4)
    numbers = [number(" 12"), number(" 1984"), *range(30, len(NAMES))]
    digits = np.isin((plain.tokens - 100) // 3, numbers)
    names = {i * 3 + 100: (f" {700 + i}" if i >= 30 else name) for i, name in enumerate(NAMES)}
    shown = Reading(plain.tokens, plain.window, plain.document, plain.position, names)
    (one,) = describe((digits[plain.position] * magnitudes(len(plain)))[:, None], shown)
    assert (one.family, one.r > 0.98) == ("class", True)
    assert one.text.startswith("fires on digits (100 % of its mass)")


def test_what_it_fires_before_is_told_from_the_tokens_that_it_promotes(shown, evidence):
    before = (kind(shown, 1) == number(" dog")) * magnitudes(len(shown))
    promoted = np.array([[number(name) * 3 + 100 for name in (" dog", " music")]])
    (one,) = describe(before[:, None], evidence, promoted=promoted)
    assert (one.family, one.keys[0][0]) == ("next token", " dog")
    assert "promotes “dog”, “music”" in one.text
    (other,) = describe(before[:, None], evidence, promoted=promoted + 9)
    assert "next token" not in dict(other.families), "a token that is not promoted is not used"


def test_shuffled_tokens_are_not_predicted(shown, evidence):
    latents = np.stack(list(planted(shown).values()), axis=1)
    for seed in range(3):
        found = describe(latents[np.random.default_rng(seed).permutation(len(shown))], evidence)
        assert np.mean([one.r for one in found]) < 0.02


def test_neither_the_description_nor_its_family_depends_on_what_it_is_scored_on(shown, evidence):
    latents = np.stack(list(planted(shown).values()), axis=1)
    other = latents.copy()
    rows = evidence.parts.scores
    other[rows] = other[np.random.default_rng(0).permutation(rows)][:, ::-1]
    for one, two in zip(describe(latents, evidence), describe(other, evidence), strict=True):
        assert (one.text, one.family, one.families, one.keys) == (
            two.text,
            two.family,
            two.families,
            two.keys,
        )
        assert one.r != two.r


def test_the_family_is_the_best_on_the_part_that_chooses(shown, evidence):
    found = describe(np.stack(list(planted(shown).values()), axis=1), evidence)
    for one in found:
        assert one.families == sorted(one.families, key=lambda pair: -pair[1])
        assert one.families[0][0] == one.family


def test_parts_share_no_document_and_hold_about_their_shares():
    rng = np.random.default_rng(0)
    groups = np.sort(rng.choice(40, 20_000, p=rng.dirichlet(np.ones(40))))
    parts = parts_of(groups, random_state=0)
    owners = [set(groups[rows].tolist()) for rows in vars(parts).values()]
    assert sum(map(len, owners)) == len(set.union(*owners)) == len(set(groups.tolist()))
    sizes = [len(rows) for rows in vars(parts).values()]
    assert sum(sizes) == len(groups)
    assert np.allclose(np.array(sizes) / len(groups), [0.5, 0.2, 0.3], atol=0.06)


def test_three_documents_are_one_for_each_part_and_two_are_refused():
    parts = parts_of(np.repeat([0, 1, 2], [5000, 10, 10]), random_state=0)
    assert min(len(rows) for rows in vars(parts).values()) == 10
    with pytest.raises(UserError, match="at least 3, not 2"):
        parts_of(np.repeat([0, 1], 50), random_state=0)


def test_where_it_fires_more_often_than_its_token_says(shown, evidence):
    """A latent of " the" in the first eight places alone: the table says the token, Fisher's test the place."""
    early = (kind(shown) == number(" the")) & (shown.position % 32 < 8)
    (one,) = describe((early * magnitudes(len(shown)))[:, None], evidence, random_state=0)
    assert one.family == "token"
    assert "x more often early in its window (q < .001)" in one.text
    (everywhere,) = describe(((kind(shown) == number(" the")) * 1.0)[:, None], evidence)
    assert "more often" not in everywhere.text


def test_sparse_and_dense_give_the_same_and_below_0_is_silence(shown, evidence):
    latents = np.stack(list(planted(shown).values()), axis=1)
    dense = describe(np.where(latents > 0, latents, -0.3), evidence)
    assert [one.text for one in dense] == [one.text for one in describe(csc_array(latents), evidence)]


def test_each_is_described_as_if_it_were_alone(shown, evidence):
    latents = csc_array(np.stack(list(planted(shown).values()), axis=1))
    whole = describe(latents, evidence)
    parts = [describe(latents[:, [i]], evidence)[0] for i in range(latents.shape[1])]
    assert [(one.family, one.r, one.keys) for one in whole] == [
        (one.family, one.r, one.keys) for one in parts
    ]


def test_what_never_fires_is_not_described_and_rare_ones_do_not_count(shown, evidence):
    silent, rare = np.zeros(len(shown)), np.zeros(len(shown))
    rare[evidence.parts.describes[:3]] = 1.0
    rare[evidence.parts.scores[:3]] = 1.0
    cat = (kind(shown) == number(" cat")) * 1.0
    found = describe(np.stack([silent, rare, cat], axis=1), evidence)
    assert found[0] is None
    assert found[1].n_firing == 3
    said = summary(found)
    assert (said["n"], said["rare"]) == (1, 2)
    assert said["median"] == found[2].r
    assert said["all_median"] == pytest.approx((found[1].r + found[2].r) / 2)


def test_pictures_are_described_by_the_label_that_explains_most():
    rng = np.random.default_rng(0)
    labels = {
        "category": np.array(["face", "house", "tool"])[rng.integers(0, 3, 600)],
        "hue": np.array(["red", "blue", ""])[rng.integers(0, 3, 600)],
    }
    face = (labels["category"] == "face") * rng.uniform(0.9, 1.1, 600)
    blue = (labels["hue"] == "blue") * rng.uniform(0.9, 1.1, 600)
    noise = rng.random(600) * (rng.random(600) < 0.3)
    found = describe(np.stack([face, blue, noise], axis=1), Seen(labels))
    assert found[0].text == "fires on pictures labeled face (100 % of its mass)"
    assert found[1].text == "fires on pictures labeled blue (100 % of its mass)"
    assert min(found[0].r, found[1].r) > 0.98
    assert found[0].detection == found[1].detection == 1.0
    assert abs(found[2].r) < 0.2 or np.isnan(found[2].r)


def test_a_package_adds_a_family(shown):
    from brodmann.analysis.interpretability.descriptions.base import (
        Family,
        Keys,
        add_family,
        one_key,
        shrunk_table,
    )

    def keys(seen):
        return Keys(one_key(kind(seen, -2), len(NAMES)), NAMES.__getitem__)

    add_family(
        Family("two before", "text", "fires two after", "two tokens before", keys, shrunk_table), __name__
    )
    try:
        latent = (kind(shown, -2) == number(" sea")) * magnitudes(len(shown))
        (one,) = describe(latent[:, None], shown)
        assert one.family == "two before"
        assert one.text.startswith("fires two after “sea”")
    finally:
        del FAMILIES._things["two before"], FAMILIES._origins["two before"]


@pytest.mark.parametrize("wrong", [np.zeros((5, 2)), np.zeros(7)])
def test_other_rows_are_refused(evidence, wrong):
    with pytest.raises(UserError, match="a row for each of the"):
        describe(wrong, evidence)


def test_promoted_tokens_of_another_number_are_refused(shown, evidence):
    with pytest.raises(UserError, match="one row for each of 1"):
        describe(np.zeros((len(shown), 1)), evidence, promoted=np.zeros((2, 3), int))
