"""Examples point at the tokens that a feature is planted on, and at the places of pictures where it is planted."""

import numpy as np
import pytest
import torch
from planted_layers import WINDOW, dictionary, inside_of, texts

from brodmann.analysis.interpretability.lenses.token_texts import token_texts
from brodmann.bench.reports.explorer.looked import Asked, Looked
from brodmann.bench.reports.explorer.materials import materials_of
from brodmann.bench.reports.explorer.sections.examples import AFTER, BEFORE, examples, grid_of
from brodmann.bench.reports.explorer.sections.histogram import histogram
from brodmann.models.extraction.rows import LayerRows


@pytest.fixture(scope="module")
def planted():
    looked, part, known = texts()
    section = examples(looked, Asked())
    materials, of_site = materials_of([looked], {"s0": [section]}, "CC BY")
    return looked, part, known, section, materials[0], of_site


def every(entry):
    return [*entry["top"], *(one for band in entry["quantiles"] for one in band["examples"])]


def test_all_examples_of_a_token_feature_peak_on_that_token_of_the_material(planted):
    looked, _, known, section, material, of_site = planted
    assert of_site == {"s0": "m0"}
    words = token_texts(looked.inside.model.tokenizer, known.tolist())
    content = material.content
    for i in range(40):
        for position, first, steps in every(section.entries["feature"][i]):
            assert content["vocabulary"][content["tokens"][position]] == words[i]
            assert steps[position - first] > 0
            assert all(
                (step or 0) == 0
                for at, step in enumerate(steps, first)
                if content["vocabulary"][content["tokens"][at]] != words[i]
            )


def test_contexts_stay_inside_their_window_and_say_where_nothing_was_read(planted):
    section = planted[3]
    for of in ("unit", "feature"):
        for entry in section.entries[of]:
            for position, first, steps in every(entry):
                start = position // WINDOW * WINDOW
                assert first == max(start, position - BEFORE)
                assert first + len(steps) == min(start + WINDOW, position + AFTER + 1)
                assert [one is None for one in steps] == [
                    at == start for at in range(first, first + len(steps))
                ]


def test_the_most_active_rows_come_first_one_a_document_and_then_one_a_window(planted):
    looked, part, _, section, _, _ = planted
    documents = np.concatenate(part.document)
    for i, entry in enumerate(section.entries["feature"]):
        top = [one[0] for one in entry["top"]]
        dense = looked.columns("feature", [i])[:, 0]
        largest = [dense[documents[looked.position] == one].max() for one in range(12)]
        n_active = sum(value > 0 for value in largest)
        assert len(set(documents[top])) == n_active
        assert len({at // WINDOW for at in top}) == len(top) <= 20
        values = [dense[looked.position == at].item() for at in top]
        assert values == sorted(values, reverse=True)
        assert values[0] == dense.max()
        assert set(np.float32([one for one in largest if one > 0])) <= set(np.float32(values))
        assert entry["step"] == pytest.approx(dense.max() / 100)
        assert entry["top"][0][2][top[0] - entry["top"][0][1]] == 100


def test_bands_hold_the_shares_of_rows_that_lie_in_them(planted):
    looked, section = planted[0], planted[3]
    for of in ("unit", "feature"):
        for i, entry in enumerate(section.entries[of]):
            dense = looked.columns(of, [i])[:, 0]
            active = dense if of == "unit" else dense[dense > 0]
            bands = entry["quantiles"]
            assert len(bands) == 8
            assert sum(band["share"] for band in bands) == pytest.approx(len(active) / len(dense))
            assert bands[0]["low"] == (pytest.approx(dense.min()) if of == "unit" else 0)
            assert bands[-1]["high"] == pytest.approx(dense.max())
            for band in bands:
                slack = 1e-6
                inside = (active >= band["low"] - slack) & (active <= band["high"] + slack)
                assert round(band["share"] * len(dense)) <= inside.sum()
                assert len(band["examples"]) == min(3, round(band["share"] * len(dense)))
                for position, *_ in band["examples"]:
                    value = dense[looked.position == position].item()
                    assert band["low"] - slack <= value <= band["high"] + slack


def test_examples_are_the_same_for_the_same_seed_and_others_for_another(planted):
    looked = planted[0]
    again, _, _ = texts()
    assert examples(again, Asked()).entries == planted[3].entries
    other = Looked(
        "s0",
        "s0",
        inside_of(looked.inside.model, looked.inside.part, looked.inside.read, looked.dictionary, seed=5),
    )
    drawn = examples(other, Asked())
    assert drawn.entries["unit"][0]["top"] == planted[3].entries["unit"][0]["top"]
    assert drawn.entries["unit"][0]["quantiles"] != planted[3].entries["unit"][0]["quantiles"]


def test_a_feature_that_never_is_active_has_no_examples_and_an_empty_histogram(planted):
    looked = planted[0]
    encoder = np.eye(3, looked.inside.n_units)
    encoder[1] *= -1e-6
    quiet = Looked(
        "q", "q", inside_of(looked.inside.model, looked.inside.part, looked.inside.read, dictionary(encoder))
    )
    entries = examples(quiet, Asked()).entries["feature"]
    assert entries[1] is None
    assert entries[0]
    assert entries[2]
    flat = histogram(quiet, Asked()).entries["feature"][1]
    assert sum(flat["counts"]) == 0
    assert flat["silent"] == flat["n"] == len(looked.units)


def test_a_histogram_counts_every_row_once(planted):
    looked = planted[0]
    found = histogram(looked, Asked())
    for of in ("unit", "feature"):
        for i, entry in enumerate(found.entries[of]):
            dense = looked.columns(of, [i])[:, 0]
            assert entry["silent"] == (dense == 0).sum()
            assert sum(entry["counts"]) + entry["silent"] == entry["n"] == len(dense)
            assert entry["edges"][-1] == pytest.approx(dense.max())
            np.testing.assert_array_equal(
                entry["counts"], np.histogram(dense[dense != 0], np.asarray(entry["edges"], np.float32))[0]
            )


def test_layers_that_were_shown_the_same_tokens_share_one_material(planted):
    looked, part = planted[:2]
    second, _, _ = texts(5, key="s1")
    other = part.taken(range(10))
    short = Looked(
        "s2",
        "s2",
        inside_of(looked.inside.model, other, LayerRows(looked.inside.rows, *(3 * [looked.document])), None),
    )
    materials, of_site = materials_of([looked, second, short], {}, "CC BY")
    assert of_site["s0"] == of_site["s1"] != of_site["s2"]
    assert [one.key for one in materials] == [of_site["s0"], of_site["s2"]]
    assert materials[0].facts == {"licence": "CC BY", "n_tokens": part.n_tokens, "n_documents": 12}
    content = materials[1].content
    assert content["windows"].tolist() == list(range(0, 320, WINDOW))
    assert content["documents"].tolist() == [0, 6 * WINDOW]
    assert len(content["vocabulary"]) == len(np.unique(np.concatenate(other.ids)))


@pytest.mark.parametrize(
    ("n_places", "expected"),
    [(49, (0, 7, 7)), (50, (1, 7, 7)), (1, (0, 1, 1)), (6, (0, 1, 6)), (197, (1, 14, 14))],
)
def test_places_are_a_square_with_or_without_a_class_token(n_places, expected):
    assert grid_of(n_places) == expected


def test_steps_are_null_only_where_nothing_was_read_and_small_activity_is_not_lost():
    looked, _, _ = texts()
    values = looked.inside.read.values.clone()
    values[:, 0] = 0
    values[5, 0], values[6, 0] = 1000.0, 0.6
    read = LayerRows(values, looked.inside.read.stimulus, looked.inside.read.place, looked.inside.read.token)
    one = Looked(
        "s",
        "s",
        inside_of(looked.inside.model, looked.inside.part, read, dictionary(np.eye(1, values.shape[1]))),
    )
    position, first, steps = examples(one, Asked()).entries["feature"][0]["top"][0]
    assert position == 6  # row 5 is the sixth token of the first window, whose first token was not read
    assert steps[position - first] == 100
    assert steps[position - first + 1] == 1
    assert torch.isfinite(values).all()
