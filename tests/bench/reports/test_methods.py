"""The methods text, for every metric, normalization and kind of ceiling."""

import re

import pytest
from records import record

from brodmann.bench.metrics.registries import CEILING_KINDS, METRICS, NORMALIZATIONS
from brodmann.bench.reports.methods import methods, warnings


def said(**changes):
    return methods([record(**changes)])[0]


CASES = [(metric, kind) for metric, card in METRICS.items() for kind in card.ceilings]


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_paragraph_is_made_of_whole_sentences(normalization):
    for metric, kind in CASES:
        text = said(
            metric=metric,
            benchmark=f"data.V1-{metric}",
            normalization=normalization,
            ceiling_kind=kind,
            ceiling=None if kind == "none" else 0.64,
            methods={"folds": 5, "group": None, "ceiling": "none: too noisy" if kind == "none" else None},
        )
        assert not re.search(r"None|nan\b|  |\.\.|;\.|: \.|\(\)", text), text
        assert text.endswith(".")
        assert text.count("(") == text.count(")")
        assert ("There is no noise ceiling (too noisy)." in text) == (kind == "none")
        assert ("The noise ceiling, 0.640, is the " in text) == (kind != "none")


def test_the_formulas_are_told_apart():
    sentences = [one.sentence for one in NORMALIZATIONS.values()]
    assert len(set(sentences)) == len(sentences)
    kinds = [one.sentence for one in CEILING_KINDS.values()]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_published_best_r_is_no_root_of_a_reliability(normalization):
    text = said(normalization=normalization, ceiling_kind="r_max")
    assert "reliability" not in text
    assert "root" not in text


def test_the_best_r_of_a_reliability_is_its_root():
    assert "whose square root is the best reachable r" in said(ceiling_kind="reliability")
    text = said(ceiling_kind="reliability", normalization="ratio_of_medians")
    assert "divided by the square root of their median reliability" in text


def test_what_differs_between_models_is_not_said_of_all():
    made = [
        record(model="a", n_neuroids=20, methods={"folds": 5, "reading": "last token", "alpha": 0.5}),
        record(model="b", n_neuroids=18, methods={"folds": 5, "reading": "mean of tokens", "alpha": 0.25}),
    ]
    text = methods(made)[0]
    assert "Settings: folds: 5." in text
    assert "By model: reading: last token (a); reading: mean of tokens (b)." in text
    assert "alpha" not in text
    assert "18 to 20 neuroids" in text


def test_a_missing_interval_says_why():
    one = record(ci=[None, None], methods={"interval": "none: 3 groups of samples say too little"})
    assert "data.V1-ridge, a: interval none: 3 groups of samples say too little" in warnings([one])
    other = record(ci=[None, None], methods={})
    assert "data.V1-ridge, a: no interval was asked for" in warnings([other])
