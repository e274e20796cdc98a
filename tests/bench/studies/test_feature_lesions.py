"""Lesions where it is known what a unit does: a network whose one unit alone tells which token comes next."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.bench.studies.feature_lesions import (
    ELSEWHERE,
    FIRING,
    SPECIFIC,
    FeatureLesion,
    beside,
    control_units,
    feature_lesion,
    silenced,
)
from brodmann.errors import UserError
from brodmann.models import LanguageModel, grid_sheet
from brodmann.models.extraction.rows import token_windows

N_UNITS, N_TOKENS = 64, 10
DESIGN = FeatureLesion(n_controls=15, n_windows=16, n_draws=200, n_measured=2)


class Follower(nn.Module):
    """After token t comes t + 1 (mod 10): four units answer each token, and the head reads them alone."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(N_TOKENS, N_UNITS)
        self.act = nn.ReLU()
        self.head = nn.Linear(N_UNITS, N_TOKENS, bias=False)
        with torch.no_grad():
            self.embed.weight.zero_()
            self.head.weight.zero_()
            for token in range(N_TOKENS):
                self.embed.weight[token, 4 * token : 4 * token + 4] = 1.0
                self.head.weight[(token + 1) % N_TOKENS, 4 * token : 4 * token + 4] = 1.5
            # the other units answer everything and mean nothing
            self.embed.weight[:, 40:] = torch.randn(
                N_TOKENS, 24, generator=torch.Generator().manual_seed(0)
            ).abs()

    def forward(self, input_ids, attention_mask=None):
        return self.head(self.act(self.embed(input_ids)))


@pytest.fixture(scope="module")
def model():
    return LanguageModel(
        Follower(), lambda text: [int(sign) for sign in text], identifier="follower", layers=["act"],
        pooling="mean", max_tokens=12, cache=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def dictionary():
    """A feature a token, which fires at it alone and writes its four units."""
    directions = torch.zeros(N_TOKENS, N_UNITS)
    for token in range(N_TOKENS):
        directions[token, 4 * token : 4 * token + 4] = 0.5
    weights = Weights(directions * 2, directions, torch.full((N_TOKENS,), -0.5), torch.zeros(N_UNITS), k=2)
    return Dictionary(weights, torch.zeros(N_UNITS), 1.0, "topk")


@pytest.fixture(scope="module")
def windows(model):
    generator = np.random.default_rng(0)
    starts = generator.integers(0, N_TOKENS, 40)
    texts = ["".join(str((start + i) % N_TOKENS) for i in range(12)) for start in starts]
    return token_windows(model, texts, apart=True)


def test_what_a_feature_does_is_lost_where_it_fires_and_nowhere_else(model, dictionary, windows):
    found = feature_lesion(model, "act", dictionary, 3, windows, DESIGN, sheet=grid_sheet("act", 64))
    assert found["units"] == [12, 13]  # half of the mass
    full = feature_lesion(
        model, "act", dictionary, 3, windows, FeatureLesion(1.0, 15, n_windows=16, n_draws=200)
    )
    assert full["units"] == [12, 13, 14, 15]
    # without its units nothing is known of the token that follows: ln 10
    assert full["lesion"][FIRING] == pytest.approx(np.log(10) - full["whole"][FIRING], abs=1e-4)
    for one in (found, full):
        assert one["lesion"][ELSEWHERE] == pytest.approx(0, abs=1e-6)
        assert one["lesion"][SPECIFIC] > 0.2
        assert one["lesion"]["interval"][0] > 0.2
        for kind in ("random units", "units of the same variance", "units of another feature"):
            control = one["controls"][kind][SPECIFIC]
            assert control["p"] == 1 / 16
            assert control["interval"][0] > 0
    assert set(found["controls"]) - set(full["controls"]) == {"contiguous units"}


def test_a_feature_alone_at_0_is_what_its_units_wrote(model, dictionary, windows):
    found = feature_lesion(model, "act", dictionary, 3, windows, DESIGN)
    assert found["edit"][FIRING] > 0.5
    assert found["edit"][ELSEWHERE] == pytest.approx(0, abs=1e-6)
    # pushed along it, the network expects what follows the token: right where it fires, wrong elsewhere
    assert found["steer"][FIRING] < 0 < found["steer"][ELSEWHERE]


def test_firing_tokens_are_those_before_the_predicted(model, dictionary, windows):
    found = feature_lesion(model, "act", dictionary, 3, windows, FeatureLesion(n_controls=1, n_windows=40))
    ids = np.stack(windows.ids)
    # the first row of a window is left out, as it was of the rows that dictionaries learn from, and what follows it
    assert found["n_firing"] == int((ids[:, 1:-1] == 3).sum())
    assert found["n_firing"] + found["n_elsewhere"] == ids[:, 2:].size


def test_measures_of_ones_own_are_taken_with_and_without(model, dictionary, windows):
    seen = []

    def measure(view):
        seen.append(view.lesions)
        return {"units": 10.0 - sum(len(one.function.units) for one in view.lesions)}

    found = feature_lesion(model, "act", dictionary, 3, windows, DESIGN, measures=measure)["measures"]
    assert found["whole"] == {"units": 10}
    assert found["lost"] == {"units": 2}
    assert found["controls"]["random units"]["units"] == {"mean": 2, "sd": 0, "n": 2, "p": 1}
    assert seen[0] == ()


def test_controls_are_as_many_other_units():
    generator = np.random.default_rng(0)
    mass = generator.dirichlet(np.ones(64), 20)
    units, variance = np.array([3, 9, 40]), np.exp(generator.normal(size=64))
    found = control_units(units, mass, 5, variance, grid_sheet("l", 64), FeatureLesion(n_controls=30))
    assert list(found) == [
        "random units", "contiguous units", "units of the same variance", "units of another feature"
    ]  # fmt: skip
    for kind, draws in found.items():
        assert len(draws) == 30
        assert all(len(set(one.tolist())) == 3 for one in draws)
        if kind != "units of another feature":
            assert not any(set(one.tolist()) & {3, 9, 40} for one in draws)
    level = np.log(variance)

    def apart(kind):
        return np.mean([np.abs(np.sort(level[one]) - np.sort(level[units])).mean() for one in found[kind]])

    assert apart("units of the same variance") < 0.5 * apart("random units")


def test_silenced_units_take_their_mean_and_others_stay():
    mean = torch.arange(6.0)
    rows = torch.randn(5, 6)
    changed = silenced("l", np.array([1, 4]), mean).applied(rows)
    assert (changed[:, [1, 4]] == mean[[1, 4]]).all()
    assert torch.equal(changed[:, [0, 2, 3, 5]], rows[:, [0, 2, 3, 5]])
    assert silenced("l", np.array([1]), mean).digest != silenced("l", np.array([1]), mean + 1).digest


def test_p_counts_the_lesion_itself():
    assert beside(1.0, [0.0, 2.0, 1.0]) == {"mean": 1.0, "sd": 1.0, "n": 3, "p": 0.75}


def test_what_cannot_be_lesioned_is_said(model, dictionary, windows):
    lesion = partial(feature_lesion, model, "act", dictionary)
    with pytest.raises(UserError, match="there is no feature 10"):
        lesion(10, windows)
    with pytest.raises(UserError, match="never fires"):
        lesion(3, _without(windows, 3))
    with pytest.raises(UserError, match="at least 1 control"):
        FeatureLesion(n_controls=0)


def _without(windows, token):
    from brodmann.models.extraction.rows import TokenWindows

    kept = [ids[ids != token] for ids in windows.ids]
    return TokenWindows(kept, [np.zeros(len(one), np.intp) for one in kept])
