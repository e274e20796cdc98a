"""Effects of all features at once are those of one after the other; one that is never used has none."""

import itertools

import numpy as np
import pytest
import torch

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.lenses.importance import SetUnit
from brodmann.analysis.interpretability.lenses.passes import layer_in, predicting, scored, token_loss
from brodmann.analysis.interpretability.lenses.steps import Steps, step_losses
from brodmann.analysis.interpretability.lenses.token_texts import token_texts
from brodmann.analysis.interpretability.views.base import Inside
from brodmann.bench.reports.explorer.looked import Asked, Looked
from brodmann.bench.reports.explorer.sections.effects import effects
from brodmann.brain_data.stimuli.localizers import localizer
from brodmann.errors import UserError
from brodmann.models import load_model
from brodmann.models.extraction.rows import token_windows
from brodmann.models.interventions.splice import Splice

LAYER, N_FEATURES, NEVER = "transformer.h.1.mlp.gelu", 48, 7


def drawn_dictionary(n_units, rows="scaled"):
    drawn = torch.randn(N_FEATURES, n_units, generator=torch.Generator().manual_seed(0))
    directions = drawn / drawn.norm(dim=1, keepdim=True)
    bias = torch.zeros(N_FEATURES)
    bias[NEVER] = -1e4
    weights = Weights(directions, directions.clone(), bias, torch.zeros(n_units), 4)
    return Dictionary(weights, torch.zeros(n_units), 0.5, "topk", rows)


def looked_at(rows="scaled"):
    model = load_model("twin-language-topographic")
    texts = [
        f"the {animal} saw {n} birds in the old garden , and then it ran to the river ."
        for n, animal in enumerate(("dog", "horse", "cat", "man"))
    ]
    windows = token_windows(model, texts, length=12)
    return Looked("s0", "twin", Inside(model, LAYER, windows.taken(range(6)), drawn_dictionary(256, rows)))


@pytest.fixture(scope="module", params=["scaled", "rescaled"])
def looked(request):
    return looked_at(request.param)


@pytest.fixture(scope="module")
def made(looked):
    return effects(looked, Asked(lesions=[NEVER, N_FEATURES], n_controls=1))


def plain(looked, change, active):
    """The loss behind active tokens and elsewhere, in windows that have any, and how probabilities move there."""
    whole = predicting(looked.inside.model)
    changed = whole.with_lesions(Splice(layer_in(whole, LAYER), change))
    at, besides, moved = [], [], []
    for number, window in enumerate(looked.inside.part.ids):
        places = active[number]
        if not places.any():
            continue
        ids = torch.from_numpy(window)[None]
        before, after = scored(whole, ids), scored(changed, ids)
        apart = (token_loss(after, ids) - token_loss(before, ids))[0, 1:].numpy()
        firing = places[1:-1]
        at.append(apart[firing])
        besides.append(apart[~firing])
        moved.append((after.softmax(2) - before.softmax(2))[0, 1:-1][torch.from_numpy(firing)])
    return np.concatenate(at), np.concatenate(besides), torch.cat(moved)


def activity(looked, columns):
    """Of one feature or unit: where it is active in each window, the first token left out."""
    starts = np.cumsum([0, *(len(one) - 1 for one in looked.inside.part.ids)])
    return [np.append(False, columns[a:b]) for a, b in itertools.pairwise(starts)]


def test_every_feature_is_silenced_as_by_a_splice_of_its_own(looked, made):
    codes = looked.features
    for feature in range(0, N_FEATURES, 3):
        entry = made.entries["feature"][feature]
        own = codes[:, [feature]].toarray()[:, 0] > 0
        if not own.any():
            continue
        at, besides, moved = plain(looked, looked.dictionary.edited({feature: 0.0}), activity(looked, own))
        assert entry["n_fires"] == len(at)
        assert entry["n_elsewhere"] == len(besides)
        if len(at):
            assert entry["fires"] == pytest.approx(at.mean(), abs=1e-5)
            assert entry["elsewhere"] == pytest.approx(besides.mean(), abs=1e-5)
            change = moved.mean(dim=0)
            most = change.abs().topk(1).indices
            assert entry["most"][0][0] == token_texts(looked.inside.model.tokenizer, most.tolist())[0]
            assert entry["most"][0][1] == pytest.approx(float(change[most]), abs=1e-5)
    assert sum(one["n_fires"] > 0 for one in made.entries["feature"]) > 20
    assert max(abs(one["fires"]) for one in made.entries["feature"]) > 1e-3


def test_a_feature_that_is_never_used_has_no_effect(made):
    entry = made.entries["feature"][NEVER]
    assert entry["fires"] == entry["elsewhere"] == entry["other_fires"] == 0
    assert entry["n_fires"] == entry["n_windows"] == 0
    assert entry["most"] == []
    assert made.whole["median"]["n"] == sum(one["n_fires"] > 0 for one in made.entries["feature"])


def test_where_a_feature_is_silent_its_silencing_changes_nothing(looked):
    feature = int(np.argmax(np.diff(looked.features.indptr)))
    whole = predicting(looked.inside.model)
    change = whole.with_lesions(Splice(layer_in(whole, LAYER), looked.dictionary.edited({NEVER: 0.0})))
    ids = torch.from_numpy(looked.inside.part.ids[0])[None]
    assert feature != NEVER
    assert torch.equal(scored(whole, ids), scored(change, ids))


def test_every_unit_is_set_to_its_mean_as_by_a_splice_of_its_own(looked, made):
    rows = looked.units
    for unit in (0, 17, 255):
        away = np.abs(rows[:, unit] - rows[:, unit].mean())
        high = activity(looked, away > np.quantile(away, 0.9))
        at, besides, _ = plain(looked, SetUnit(unit, float(rows[:, unit].mean())), high)
        entry = made.entries["unit"][unit]
        assert entry["n_fires"] == len(at)
        assert entry["fires"] == pytest.approx(at.mean(), abs=1e-5)
        assert entry["elsewhere"] == pytest.approx(besides.mean(), abs=1e-5)


def test_columns_and_controls_stand_beside_the_effects(made):
    for of in ("unit", "feature"):
        effect, beyond = made.columns[of]
        entries = made.entries[of]
        assert effect.values == [one["fires"] for one in entries]
        assert beyond.values[3] == pytest.approx(entries[3]["fires"] - entries[3]["other_fires"])
        assert next(one for one in made.controls if one["of"] == of)["fires"] == effect.beside[0]["value"]


def test_a_step_along_a_direction_is_that_step_and_no_other(looked):
    whole = predicting(looked.inside.model)
    layer, windows = layer_in(whole, LAYER), looked.inside.part.ids
    directions = torch.randn(2, 256, generator=torch.Generator().manual_seed(3))
    each = [
        (1, 0, np.array([2, 5]), np.array([1.0, -2.0], np.float32), np.array([False, True])),
        (1, 1, np.array([4]), np.array([3.0], np.float32), np.array([False])),
        (3, 0, np.array([], np.intp), np.array([], np.float32), np.array([], bool)),
    ]
    seen = []
    found = step_losses(whole, layer, windows, directions, Steps.of(each), lambda *one: seen.append(one))

    def moved(rows):
        changed = rows.clone()
        changed[2] += directions[0]
        changed[5] -= 2 * directions[0]
        return changed

    ids = torch.from_numpy(windows[1])[None]
    before, after = scored(whole, ids), scored(whole.with_lesions(Splice(layer, moved)), ids)
    expected = (token_loss(after, ids) - token_loss(before, ids))[0].numpy()
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    assert np.abs(found[0][:2]).max() < 1e-6 < np.abs(found[0][2:]).max()  # a causal network
    assert np.abs(found[2]).max() == 0
    steps = np.concatenate([one[0] for one in seen])
    assert steps.tolist() == [0]
    np.testing.assert_allclose(torch.cat([one[2] for one in seen])[0], after[0, 5], atol=1e-4)


def test_a_lesion_that_is_not_possible_is_left_out_with_its_reason(made):
    assert made.whole["lesions"] == []
    assert "never fires" in made.left_out[0]
    assert "no feature 48" in made.left_out[1]


def test_pictures_have_no_next_token():
    inside = Inside(
        load_model("twin-vision-topographic"), "layer4.0.conv1", localizer("drawn-categories").iloc[:12]
    )
    with pytest.raises(UserError, match="next token"):
        effects(Looked("v", "vision", inside), Asked())
