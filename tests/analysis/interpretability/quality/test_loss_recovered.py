"""What a network loses with a dictionary in a layer's place, on the packaged language twin."""

import numpy as np
import pytest
import torch

from brodmann import load_model
from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.quality.loss_recovered import accuracy, loss_recovered, task_recovered
from brodmann.errors import UserError
from brodmann.models import LanguageModel
from brodmann.models.extraction.rows import TokenWindows, layer_rows, token_losses, token_windows

LAYER = "transformer.h.1.mlp.gelu"
TEXTS = [
    "the committee met in the old town hall , and the mayor spoke for an hour about the bridge .",
    "in 1974 the band released a second album , which sold more copies than the first .",
    "the species is found along the coast , where it feeds on small fish and crabs .",
    "he was born in a village near the river and studied law before the war began .",
    "the storm moved north during the night and weakened over land the next morning .",
]


@pytest.fixture(scope="module")
def model():
    return load_model("twin-language-topographic")


@pytest.fixture(scope="module")
def windows(model):
    return token_windows(model, TEXTS, length=24)


@pytest.fixture(scope="module")
def mean(model, windows):
    return torch.cat([one.values for one in layer_rows(model, LAYER, windows)]).mean(dim=0)


def _all_of(mean):
    """Gives rows back whole."""
    eye = torch.eye(256)
    both = torch.cat([eye, -eye])
    return Dictionary(Weights(both, both.clone(), torch.zeros(512), torch.zeros(256), 256), mean, 1.0, "topk")


def _none_of(mean):
    """Gives the mean."""
    zeros = torch.zeros(4, 256)
    return Dictionary(Weights(zeros, zeros + 1, torch.zeros(4), torch.zeros(256), 2), mean, 1.0, "topk")


def test_a_dictionary_that_gives_rows_back_recovers_all(model, windows, mean):
    found = loss_recovered(model, LAYER, _all_of(mean), windows, mean)
    assert found.clean == pytest.approx(token_losses(model, windows).mean())
    assert found.spliced == pytest.approx(found.clean, abs=1e-4)
    assert found.zero > found.clean + 0.1
    assert found.recovered == pytest.approx(1, abs=1e-3)
    assert found.recovered_from_mean == pytest.approx(1, abs=1e-3)
    assert found.interval == pytest.approx((1, 1), abs=1e-3)
    assert found.n_tokens == sum(len(ids) - 1 for ids in windows.ids)
    assert found.n_documents == len(TEXTS)


def test_a_dictionary_that_is_silent_recovers_what_the_mean_does(model, windows, mean):
    found = loss_recovered(model, LAYER, _none_of(mean), windows, mean)
    assert found.spliced == pytest.approx(found.mean, abs=1e-6)
    assert found.recovered_from_mean == pytest.approx(0, abs=1e-5)
    assert found.recovered == pytest.approx((found.zero - found.mean) / (found.zero - found.clean))


def test_the_interval_is_over_documents_drawn_anew(model, windows, mean):
    found = loss_recovered(model, LAYER, _none_of(mean), windows, mean, random_state=3)
    owners = np.concatenate([one[1:] for one in windows.document])
    draws = np.random.default_rng(0).integers(0, 5, (2000, 5))
    ratios = []
    for draw in draws:
        taken = np.concatenate([np.flatnonzero(owners == document) for document in draw])
        zero, made, clean = (found.losses[name][taken].mean() for name in ("zero", "spliced", "clean"))
        ratios.append((zero - made) / (zero - clean))
    low, high = np.quantile(ratios, [0.025, 0.975])
    width = high - low
    assert found.interval == pytest.approx((low, high), abs=0.15 * width)


def test_where_silencing_costs_little_the_report_says_so(windows):
    model = load_model("twin-language-baseline")
    last = "transformer.h.2.mlp.gelu"
    found = loss_recovered(model, last, _all_of(torch.zeros(256)), windows, torch.zeros(256))
    assert found.zero - found.clean < 0.2
    assert "means little" in found.said


def test_a_task_is_recovered_as_the_loss_is(model, windows, mean):
    loss = loss_recovered(model, LAYER, _none_of(mean), windows, mean)
    task = task_recovered(
        model, LAYER, _none_of(mean), lambda one: -float(token_losses(one, windows).mean()), mean
    )
    assert (task.clean, task.zero) == pytest.approx((-loss.clean, -loss.zero))
    assert task.recovered == pytest.approx(loss.recovered)
    assert task.recovered_from_mean == pytest.approx(loss.recovered_from_mean, abs=1e-5)


def test_accuracy_counts_the_highest_score():
    assert accuracy([0, 1, 1, 2], torch.tensor([[3.0, 1, 2], [0, 5, 1], [9, 1, 1], [0, 0, 1]])) == 0.75


def test_windows_of_one_token_predict_nothing(model, mean):
    one = np.array([3])
    with pytest.raises(UserError, match="second token"):
        loss_recovered(model, LAYER, _all_of(mean), TokenWindows([one], [one]), mean)


def test_layers_are_named_as_in_the_network_without_its_head():
    """As a network of Hugging Face is loaded: its head holds it, and names its layers otherwise."""

    class Inner(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.layer = torch.nn.Embedding(30, 8), torch.nn.Linear(8, 8)

        def forward(self, input_ids, attention_mask=None):
            return self.layer(self.embedding(input_ids))

    class Whole(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.model, self.lm_head = inner, torch.nn.Linear(8, 30)

        def forward(self, input_ids, attention_mask=None):
            return self.lm_head(self.model(input_ids))

    torch.manual_seed(0)
    inner = Inner()
    whole = Whole(inner)
    model = LanguageModel(
        inner, lambda text: [1 + ord(letter) % 29 for letter in text], identifier="inner", layers=["layer"],
        cache=False, max_tokens=16, head=lambda module: whole,
    )  # fmt: skip
    windows = token_windows(model, TEXTS, length=16)
    rows = torch.cat([one.values for one in layer_rows(model, "layer", windows)])
    eye = torch.eye(8)
    weights = Weights(torch.cat([eye, -eye]), torch.cat([eye, -eye]), torch.zeros(16), torch.zeros(8), 8)
    found = loss_recovered(
        model, "layer", Dictionary(weights, rows.mean(dim=0), 1.0, "topk"), windows, rows.mean(dim=0)
    )
    assert found.spliced == pytest.approx(found.clean, abs=1e-5)
    assert found.zero != pytest.approx(found.clean, abs=1e-3)
