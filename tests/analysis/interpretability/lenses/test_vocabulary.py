"""Tokens that units write: planted ones are named, pushing them does what was read off."""

import numpy as np
import pytest
import torch
from scipy.stats import kurtosis as scipy_kurtosis

from brodmann import UserError, load_model
from brodmann.analysis.interpretability.lenses.importance import gradient_importance
from brodmann.analysis.interpretability.lenses.own_texts import own_windows
from brodmann.analysis.interpretability.lenses.passes import layer_width, predicting, scored
from brodmann.analysis.interpretability.lenses.token_texts import shown, token_texts
from brodmann.analysis.interpretability.lenses.unembedding import unembedding_of
from brodmann.analysis.interpretability.lenses.vocabulary import (
    causal_change,
    causal_check,
    contexts_of,
    kurtosis,
    logit_vectors,
    vocabulary,
    write_of,
)

LAST = {
    "gpt": ("transformer.h.1.mlp.gelu", "transformer.h.1.mlp.c_proj"),
    "GPT2": ("transformer.h.1.mlp.act", "transformer.h.1.mlp.c_proj"),
    "Llama": ("model.layers.1.mlp.down_proj#in", "model.layers.1.mlp.down_proj"),
    "GPTNeoX": ("gpt_neox.layers.1.mlp.act", "gpt_neox.layers.1.mlp.dense_4h_to_h"),
    "Gemma": ("model.layers.1.mlp.down_proj#in", "model.layers.1.mlp.down_proj"),
}


def stored(module, unit):
    """The column of a linear map that a unit writes, to be set: GPT-2 stores it as a row."""
    return module.weight[unit] if type(module).__name__ == "Conv1D" else module.weight[:, unit]


def test_a_unit_whose_value_vector_is_an_embedding_row_names_that_token_first(any_model):
    end = unembedding_of(any_model)
    layer, through = LAST[any_model.identifier]
    planted = {5: 77, 9: 130, 20: 201}
    with torch.no_grad():
        for unit, token in planted.items():
            stored(any_model.module.get_submodule(through), unit).copy_(end.weight[token])
    write = write_of(any_model, end, layer)
    assert (write.through, write.exact) == (through, True)
    found = vocabulary(torch.eye(layer_width(any_model, layer)), write, end, n_tokens=5)
    for unit, token in planted.items():
        assert found.promoted[unit, 0] == token
        assert found.kurtosis[unit] > np.quantile(found.kurtosis_random, 0.95)


def test_a_feature_is_read_by_its_direction(small):
    end = unembedding_of(small)
    write = write_of(small, end, "transformer.h.2.mlp.gelu")
    assert write.matrix is not None
    direction = torch.linalg.lstsq(
        write.matrix, end.weight[[40, 41]].T
    ).solution.T  # writes rows of the embedding
    found = vocabulary(direction, write, end, everything=torch.eye(128), n_tokens=3)
    assert found.promoted[:, 0].tolist() == [40, 41]
    np.testing.assert_array_equal(
        vocabulary(-direction, write, end, everything=torch.eye(128), n_tokens=1).suppressed[:, 0], [40, 41]
    )


def test_the_direct_effect_is_the_product_of_what_is_written_the_gain_and_the_unembedding(small):
    end = unembedding_of(small)
    write = write_of(small, end, "transformer.h.2.mlp.gelu")
    direct = logit_vectors(torch.eye(128)[:6], write, end)
    by_hand = (end.weight @ (end.gain[:, None] * small.module.transformer.h[2].mlp.c_proj.weight[:, :6])).T
    torch.testing.assert_close(direct, (by_hand - by_hand.mean(dim=1, keepdim=True)).detach())


def test_how_a_layer_writes_is_found_by_what_it_computes(small):
    end = unembedding_of(small)
    before = write_of(small, end, "transformer.h.1.mlp.c_fc")
    assert (before.through, before.exact) == ("transformer.h.1.mlp.c_proj", False)
    for added in ("transformer.h.1", "transformer.h.1.attn.c_proj", "transformer.wte"):
        assert write_of(small, end, added).matrix is None
    with pytest.raises(UserError, match="no single linear map"):
        write_of(small, end, "transformer.h.1.attn.c_attn")
    with pytest.raises(UserError, match="no single linear map"):
        write_of(small, end, "transformer.h.1.ln_1")
    with pytest.raises(UserError, match="no single linear map"):
        write_of(small, end, "transformer.ln_f")


def test_a_gate_acts_on_each_unit_alone_and_a_query_does_not(llama):
    end = unembedding_of(llama)
    gate = write_of(llama, end, "model.layers.1.mlp.gate_proj")
    assert (gate.through, gate.exact) == ("model.layers.1.mlp.down_proj", False)
    with pytest.raises(UserError, match="no single linear map"):
        write_of(llama, end, "model.layers.1.self_attn.q_proj")


def test_kurtosis_is_that_of_scipy():
    values = np.random.default_rng(0).normal(size=(4, 300)) ** 3
    np.testing.assert_allclose(
        kurtosis(torch.from_numpy(values)), scipy_kurtosis(values, axis=1, fisher=False)
    )


def test_pushing_a_unit_changes_the_prediction_by_what_a_pass_of_ones_own_says(small):
    contexts = [np.array([4, 9, 80, 33]), np.array([7, 7, 200, 12])]
    axis = torch.zeros(128)
    axis[3] = 1
    found = causal_change(small, "transformer.h.1.mlp.gelu", axis, 2.5, contexts)
    batch = torch.from_numpy(np.stack(contexts))
    before = scored(small, batch)[:, -1].log_softmax(dim=1)
    gelu = small.module.transformer.h[1].mlp.gelu
    handle = gelu.register_forward_hook(lambda _m, _i, output: output + 2.5 * axis)
    after = scored(small, batch)[:, -1].log_softmax(dim=1)
    handle.remove()
    np.testing.assert_allclose(found, (after - before).mean(dim=0), atol=1e-5)


def test_what_is_read_off_is_what_pushing_does_and_another_units_is_not(small):
    """In the last block only the norm stands between."""
    end = unembedding_of(small)
    write = write_of(small, end, "transformer.h.2.mlp.gelu")
    generator = np.random.default_rng(0)
    contexts = contexts_of([generator.integers(1, 260, size=20) for _ in range(30)], 50, length=10)
    found = causal_check(small, write, end, torch.eye(128)[:8], [1.0] * 8, contexts)
    assert np.median(found.spearman) > 0.9
    assert abs(np.median(found.spearman_other)) < 0.4
    assert np.median(found.found) > 0.5
    away = causal_check(small, write, end, torch.eye(128)[:8], [-1.0] * 8, contexts)
    assert np.median(away.spearman) > 0.9  # of a unit that is negative when it speaks, the other end


@pytest.mark.parametrize("twin", ["twin-language-topographic", "twin-language-baseline"])
def test_in_a_trained_twin_pushing_agrees_and_nothing_is_concentrated(twin):
    model = predicting(load_model(twin))
    end = unembedding_of(model)
    layer = "transformer.h.1.mlp.gelu"
    write = write_of(model, end, layer)
    windows = own_windows(model, 24, length=32)
    high = gradient_importance(model, layer, windows).high
    chosen = np.argsort(-high)[:8]
    found = causal_check(
        model, write, end, torch.eye(256)[chosen], high[chosen], contexts_of(windows, 60, length=20)
    )
    assert np.median(found.spearman) > 0.7
    assert np.median(found.spearman) > np.median(found.spearman_other) + 0.3
    words = vocabulary(torch.eye(256), write, end)
    assert abs(np.median(words.kurtosis) - np.median(words.kurtosis_random)) < 0.5


def test_contexts_are_pieces_of_the_texts():
    texts = [np.arange(10 * i, 10 * i + 9) for i in range(3)]
    found = contexts_of(texts, 20, length=4)
    assert len(found) == 20
    assert all(len(one) == 4 and (np.diff(one) == 1).all() for one in found)
    assert len({tuple(one) for one in found}) > 8
    with pytest.raises(UserError, match="two tokens"):
        contexts_of([np.array([1])], 3)


def test_tokens_are_shown_as_a_person_reads_them(test_weights):
    twin = predicting(load_model("twin-language-topographic")).tokenizer
    ids = twin("the dog, ran")["input_ids"]
    assert "".join(token_texts(twin, ids[1:])) == "the dog, ran"
    llama = load_model(f"hf:{test_weights / 'stories260k-llama' / 'hf'}").tokenizer
    assert token_texts(llama, llama("Once upon a time")["input_ids"])[1:] == [" Once", " upon", " a", " time"]
    assert token_texts(llama, [10**6]) == ["<1000000>"]
    assert token_texts(lambda text: [1], [5]) == ["<5>"]
    assert shown(" a\n") == "·a⏎"
