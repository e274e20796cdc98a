"""The lens through a classifier: the end is the network, a planted map is found, shuffled targets give nothing."""

import numpy as np
import pytest

from brodmann import UserError, load_model
from brodmann.analysis.interpretability.lenses.class_lens import (
    Pooled,
    class_lens,
    classifier_of,
    pooled_layers,
    ridge_translator,
)
from brodmann.brain_data.stimuli.drawn_localizers import drawn_categories


@pytest.fixture(scope="module", params=["twin-vision-topographic", "twin-vision-baseline"])
def pooled(request):
    model = load_model(request.param)
    return pooled_layers(model, drawn_categories(150))


def test_at_the_last_block_it_is_the_network(pooled):
    table = class_lens(pooled.taken(range(100)), pooled.taken(range(100, 150)))
    assert table.loc["layer4.0", "how"] == "head"
    assert table.loc["layer4.0", "kl"] < 1e-5
    assert table.loc["layer4.0", "agreement"] == 1
    np.testing.assert_allclose(pooled.scores, pooled.read @ pooled.matrix.T + pooled.offset, atol=1e-4)
    np.testing.assert_allclose(pooled.layers["layer4.0"], pooled.read, atol=1e-5)


def test_later_layers_come_nearer_and_shuffled_targets_do_not(pooled):
    table = class_lens(pooled.taken(range(100)), pooled.taken(range(100, 150)))
    moved = table[table["how"] == "translator"]
    assert moved["kl"].iloc[-1] < 0.3 * moved["kl"].iloc[0]
    assert (moved["kl"] < moved["kl_shuffled"]).all()
    assert (moved["agreement"] > moved["agreement_shuffled"] + 0.1).all()


def test_labels_give_accuracy(pooled):
    best = pooled.scores.argmax(axis=1)
    found = class_lens(pooled.taken(range(100)), pooled.taken(range(100, 150)), labels=best[100:])
    np.testing.assert_allclose(found["accuracy"], found["agreement"])
    only = class_lens(pooled.taken(range(100)), pooled.taken(range(100, 150)), translate=False)
    assert set(only["how"]) == {"head"}
    assert len(only) < len(found)
    all_moved = class_lens(pooled.taken(range(100)), pooled.taken(range(100, 150)), translate=True)
    assert set(all_moved["how"]) == {"translator"}


def test_a_planted_linear_map_is_found():
    generator = np.random.default_rng(0)
    z, turn = generator.normal(size=(200, 12)), generator.normal(size=(12, 5))
    made = ridge_translator(z[:120], z[:120] @ turn + 3)
    np.testing.assert_allclose(made(z[120:]), z[120:] @ turn + 3, atol=1e-2)
    noise = ridge_translator(z[:120], generator.normal(size=(120, 5)))
    assert noise.penalty > made.penalty


def test_the_penalty_is_the_best_by_leaving_each_picture_out():
    generator = np.random.default_rng(1)
    z = generator.normal(size=(30, 8))
    y = z @ generator.normal(size=(8, 3)) + 3 * generator.normal(size=(30, 3))
    made = ridge_translator(z, y)

    def left_out(penalty):
        errors = []
        for i in range(30):
            rest = np.arange(30) != i
            # the same centre as of all pictures, as the closed form has it up to its own 1/n
            m, t = z[rest].mean(0), y[rest].mean(0)
            x = z[rest] - m
            b = np.linalg.solve(x.T @ x + penalty * np.eye(8), x.T @ (y[rest] - t))
            errors.append(((y[i] - t - (z[i] - m) @ b) ** 2).mean())
        return np.mean(errors)

    unit = (np.linalg.svd(z - z.mean(0), compute_uv=False) ** 2).mean()
    grid = 10.0 ** np.arange(-4, 5) * unit
    best = grid[int(np.argmin([left_out(one) for one in grid]))]
    assert made.penalty == pytest.approx(best)


def test_a_network_without_a_classifier_is_one_line():
    with pytest.raises(UserError, match="not what a linear map gives"):
        classifier_of(load_model("gabor-pyramid"))
    with pytest.raises(UserError, match="at least 3 pictures"):
        ridge_translator(np.zeros((2, 3)), np.zeros((2, 1)))
    assert Pooled.__dataclass_fields__["read"]
