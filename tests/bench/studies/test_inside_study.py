"""Four questions about what stands inside networks: contrasts of known measures, and the whole study in small."""

import json
import sys

import numpy as np
import pytest

from brodmann import UserError
from brodmann.bench.cli.main import main
from brodmann.bench.reports.inside_figure import inside_figure
from brodmann.bench.studies import inside_study as module
from brodmann.bench.studies.inside_study import InsideStudy, answers, inside_study
from brodmann.brain_data.stimuli.corpora import TextCorpus
from brodmann.models import load_model

LAYER = "transformer.h.1.mlp.gelu"


def networks(n_pairs, **measures):
    """Measures are functions of (kind, pair)."""
    return [
        {"kind": kind, "pair": pair, **{name: value(kind, pair) for name, value in measures.items()}}
        for pair in range(n_pairs)
        for kind in ("topographic", "baseline")
    ]


def contrast(found, question, words):
    return next(one for one in found[question] if one["contrast"] == words)


class TestAnswers:
    def test_a_difference_within_networks_is_paired_and_exact(self):
        found = answers(
            networks(
                6,
                networks_features=lambda kind, pair: 0.5 + 0.1 * pair,
                networks_units=lambda kind, pair: 0.3 + 0.1 * pair,
            )
        )
        for kind in ("topographic", "baseline", "both"):
            one = contrast(found, "match", f"features less units, between networks of other seeds ({kind})")
            assert one["difference"] == pytest.approx(0.2)
            assert one["n"] == 6
            assert one["p"] == pytest.approx(2 / 2**6)
            assert ("p_holm" in one) == (kind == "both")

    def test_topographic_networks_stand_beside_their_own_twins(self):
        found = answers(
            networks(4, log_l0_at_equal_fvu=lambda kind, pair: pair + (0.5 if kind == "baseline" else 0.0))
        )
        one = contrast(found, "mixed", "log_l0_at_equal_fvu, topographic less baseline")
        assert one["difference"] == pytest.approx(-0.5)
        assert one["interval"] == pytest.approx([-0.5, -0.5])

    def test_primary_contrasts_are_corrected_together(self):
        found = answers(
            networks(
                6,
                networks_features=lambda kind, pair: 0.5,
                networks_units=lambda kind, pair: 0.3 + 0.001 * pair,
                brain_features=lambda kind, pair: (-1) ** pair * 0.1,
                brain_untrained=lambda kind, pair: 0.0,
                log_l0_at_equal_fvu=lambda kind, pair: float(pair) * (kind == "baseline") + 1.0,
            )
        )
        primary = [one for each in found.values() for one in each if one["primary"]]
        assert len(primary) == 3
        order = sorted(primary, key=lambda one: one["p"])
        assert order[0]["p_holm"] == pytest.approx(3 * order[0]["p"])
        assert all(one["p_holm"] >= one["p"] for one in primary)

    def test_what_is_not_known_of_two_networks_is_left_out(self):
        found = answers(networks(3, k90_features=lambda kind, pair: None, k90_units=lambda kind, pair: 4.0))
        assert found == {}
        some = answers(
            networks(
                3,
                k90_features=lambda kind, pair: 2.0 if pair else None,
                k90_units=lambda kind, pair: 4.0 + pair,
            )
        )
        one = contrast(some, "brain", "k90 of features less units (baseline)")
        assert (one["n"], one["left_out"]) == (2, 1)

    def test_a_null_is_found_no_more_often_than_it_says(self):
        drawn = np.random.default_rng(0)
        low = 0
        for _ in range(200):
            found = answers(
                networks(
                    6,
                    brain_features=lambda kind, pair: float(drawn.standard_normal()),
                    brain_untrained=lambda kind, pair: float(drawn.standard_normal()),
                )
            )
            low += contrast(found, "brain", "r of features less untrained expansion (both)")["p"] <= 0.05
        assert low <= 20


def test_networks_are_compared_at_an_error_that_all_reach():
    def line(factor):
        return [{"k": k, "fvu": factor / k, "l0": float(k), "effective": 10.0 * k} for k in (4, 8, 16)]

    both = [{"frontier": line(1.0)}, {"frontier": line(2.0)}]
    module._at_equal_error(both)
    error = both[0]["equal_fvu"]
    assert 2 / 16 <= error <= 1 / 4
    assert both[0]["log_l0_at_equal_fvu"] == pytest.approx(np.log(1 / error))
    assert both[1]["log_l0_at_equal_fvu"] == pytest.approx(np.log(2 / error))
    assert both[1]["log_effective_features_at_equal_fvu"] == pytest.approx(np.log(20 / error))
    apart = [{"frontier": line(1.0)}, {"frontier": line(100.0)}]
    module._at_equal_error(apart)
    assert "equal_fvu" not in apart[0]


def test_a_study_needs_two_seeds_and_two_sparsities():
    with pytest.raises(UserError, match="two seeds"):
        InsideStudy(LAYER, seeds=(1,))
    with pytest.raises(UserError, match="a pair of networks"):
        inside_study([], TextCorpus(("a",), ("b",)), InsideStudy(LAYER), None)


@pytest.mark.slow
def test_the_whole_study_in_small_and_again(tmp_path):
    """The packaged twins; a second run learns and measures nothing, and gives the same."""
    words = [
        "dog",
        "saw",
        "bird",
        "garden",
        "horse",
        "moved",
        "near",
        "river",
        "while",
        "rain",
        "hill",
        "the",
    ]
    drawn = np.random.default_rng(0)
    texts = [" ".join(drawn.choice(words, 400)) + " ." for _ in range(30)]
    pair = (load_model("twin-language-topographic"), load_model("twin-language-baseline"))
    study = InsideStudy(LAYER, n_features=64, active=(2, 8), compared=8, n_rows=30_000)
    corpus = TextCorpus(tuple(texts[:24]), tuple(texts[24:]))
    found = inside_study([pair], corpus, study, tmp_path)
    names = {name for one in found["networks"] for name in one}
    assert {
        "mmcs",
        "seeds_features",
        "classes_of_units",
        "mass_I_features",
        "mass_I_matched",
        "frontier",
    } <= names
    assert found["answers"] == {}, "one pair of networks answers nothing"
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert inside_study([pair], corpus, study, tmp_path)["networks"] == found["networks"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == before
    kept = json.loads((tmp_path / "inside.json").read_text())
    assert len(inside_figure(kept).axes) == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere", "--texts", "."), "holds no topographic network"),
        ((".", "--texts", ".", "--active", "a,b"), "--active"),
        ((".", "--texts", ".", "--active", "0,4"), "at least 1"),
    ],
)
def test_mistakes_are_one_line(capsys, monkeypatch, tmp_path, words, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["brodmann", "features", "study", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    err = capsys.readouterr().err
    assert stopped.value.code == 2
    assert len(err.strip().splitlines()) == 1
    assert said in err
