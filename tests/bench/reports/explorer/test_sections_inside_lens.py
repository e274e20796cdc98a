"""Lens, tokens and topics of a page: the last layer is the network, a unit writes what its column says."""

import numpy as np
import pytest
import torch

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.lenses.class_lens import pooled_layers
from brodmann.analysis.interpretability.lenses.passes import predicting, scored
from brodmann.analysis.interpretability.lenses.token_texts import token_texts
from brodmann.analysis.interpretability.views.base import Inside
from brodmann.bench.reports.explorer.content import plain
from brodmann.bench.reports.explorer.looked import Asked, Looked
from brodmann.bench.reports.explorer.sections.lens import lens
from brodmann.bench.reports.explorer.sections.tokens import tokens
from brodmann.bench.reports.explorer.sections.topics import topics
from brodmann.brain_data.stimuli.localizers import localizer
from brodmann.errors import UserError
from brodmann.models import load_model
from brodmann.models.extraction.rows import token_windows

LAYER, N_FEATURES = "transformer.h.1.mlp.gelu", 40
ANIMALS = ("dog", "horse", "cat", "man")


@pytest.fixture(scope="module")
def looked():
    model = load_model("twin-language-topographic")
    drawn = torch.randn(N_FEATURES, 256, generator=torch.Generator().manual_seed(0))
    directions = drawn / drawn.norm(dim=1, keepdim=True)
    weights = Weights(directions, directions.clone(), torch.zeros(N_FEATURES), torch.zeros(256), 4)
    dictionary = Dictionary(weights, torch.zeros(256), 1.0, "topk")
    texts = [
        " ".join(f"the {animal} of {1900 + n} saw {n} birds in the old garden ." for n in range(12))
        for animal in ANIMALS
    ]  # fmt: skip
    return Looked("s0", "twin", Inside(model, LAYER, token_windows(model, texts, length=24), dictionary))


@pytest.fixture(scope="module")
def vision():
    inside = Inside(
        load_model("twin-vision-topographic"), "layer4.0.conv1", localizer("drawn-categories").iloc[:40]
    )
    return Looked("v", "vision", inside)


def test_the_last_layer_of_the_lens_is_the_network(looked):
    text = "the dog saw the old garden"
    made = lens(looked, Asked(texts=[text]))
    whole = predicting(looked.inside.model)
    ids = np.asarray(whole._encoder("last").tokens("", text).ids)
    p = scored(whole, torch.from_numpy(ids)[None])[0].softmax(dim=1)
    (shown,) = made.whole["texts"]
    assert shown["tokens"] == token_texts(whole.tokenizer, ids)
    assert len(shown["grid"]) == len(made.whole["layers"])
    for at, cell in enumerate(shown["grid"][-1]):
        values, best = p[at].topk(3)
        assert [token for token, _ in cell["top"]] == token_texts(whole.tokenizer, best.tolist())
        np.testing.assert_allclose([share for _, share in cell["top"]], values, atol=1e-5)
        assert cell["kl"] == pytest.approx(0, abs=1e-5)
        assert cell["final_rank"] == 1
        expected = None if at + 1 == len(ids) else 1 + int((p[at] > p[at, ids[at + 1]]).sum())
        assert cell["rank"] == expected
    last = made.whole["profile"][-1]
    assert last["kl"] == pytest.approx(0, abs=1e-5)
    assert last["agreement"] == 1
    assert made.controls[-1]["kl"] == last["kl_shuffled"] > 1
    assert last["agreement_shuffled"] < 1


def test_texts_of_the_material_are_shown_where_none_are_given(looked):
    made = lens(looked, Asked())
    assert len(made.whole["texts"]) == 4
    for one in made.whole["texts"]:
        assert {len(row) for row in one["grid"]} == {len(one["tokens"])}


def test_pictures_have_a_lens_whose_last_layer_names_them_as_the_network_does(vision):
    made = lens(vision, Asked())
    (shown,) = made.whole["texts"]
    pooled = pooled_layers(vision.inside.model, vision.inside.part, made.whole["layers"])
    scores = pooled.scores[shown["pictures"]]
    best = scores.argmax(axis=1)
    for at, cell in enumerate(shown["grid"][-1]):
        assert cell["top"][0][0].startswith(f"class {best[at]}")
        assert cell["final_rank"] == 1
    assert shown["tokens"] == vision.inside.part["category"].iloc[shown["pictures"]].tolist()
    assert made.whole["profile"][-1]["kl"] < made.whole["profile"][0]["kl"]


def test_a_unit_promotes_what_its_column_writes(looked):
    made = tokens(looked, Asked())
    whole = predicting(looked.inside.model)
    module = dict(whole.module.named_modules())
    columns = module["transformer.h.1.mlp.c_proj"].weight.detach()
    gain, table = module["transformer.ln_f"].weight.detach(), module["lm_head"].weight.detach()
    for of, directions in (("unit", torch.eye(256)), ("feature", looked.dictionary.directions)):
        r = (directions @ columns.T * gain) @ table.T
        r = r - r.mean(dim=1, keepdim=True)
        r = r - r.mean(dim=0, keepdim=True)
        assert len(made.entries[of]) == len(directions)
        for i in (0, 3, 39):
            entry = made.entries[of][i]
            values, best = r[i].topk(20)
            assert [token for token, _ in entry["promoted"]] == token_texts(whole.tokenizer, best.tolist())
            np.testing.assert_allclose([value for _, value in entry["promoted"]], values, atol=1e-3)
            assert (
                next(token for token, _ in entry["suppressed"])
                == token_texts(whole.tokenizer, [int(r[i].argmin())])[0]
            )
            assert all(value < 0 for _, value in entry["suppressed"])
            assert entry["kurtosis"] > 1
        own = {one["kind"].rpartition(" ")[2]: one for one in made.controls if one["of"] == of}
        assert own["itself"]["r"] > own["another"]["r"]
        assert own["directions"]
        assert own["itself"]["n"] >= 10
        text = next(one for one in made.columns[of] if one.kind == "text")
        assert text.values[3].split()[0] == made.entries[of][3]["promoted"][0][0].strip()


def test_channels_promote_classes(vision):
    made = tokens(vision, Asked())
    assert len(made.entries["unit"]) == 196
    for one in made.entries["unit"]:
        assert sum(value for _, value in one["promoted"] + one["suppressed"]) == pytest.approx(0, abs=1e-9)
        assert one["promoted"][0][1] > 0 > one["suppressed"][0][1]
    own, shuffled = made.controls
    assert own["share"] > shuffled["share"]


def test_topics_are_clusters_of_units_with_their_words_and_their_place(looked):
    made = topics(looked, Asked(topics=4))
    (column,) = made.columns["unit"]
    clusters, member = made.whole["clusters"], np.asarray(column.values)
    assert len(clusters) == len(column.categories) == 4
    assert len(column.values) == 256
    for one in clusters:
        assert (member[one["units"]] == one["number"]).all()
        assert 0 < one["p"] <= 1
        assert one["joins"] > 0
        assert all(value > 0 for _, value in one["words"])
    by_chance = next(one for one in made.controls if "pmi" in one)
    assert by_chance["pmi"] > 0
    assert next(one for one in made.controls if "joins" in one)["joins"] == 1
    assert sum(len(one["units"]) for one in clusters) == (member >= 0).sum()
    assert topics(looked, Asked(topics=0)).left_out
    assert plain(made.whole)


def test_pictures_have_no_topics(vision):
    with pytest.raises(UserError, match="reads text"):
        topics(vision, Asked())
