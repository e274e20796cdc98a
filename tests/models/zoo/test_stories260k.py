"""The smallest Llama, on its real weights."""

import numpy as np
import pytest
import torch

from brodmann import add_model, load_model
from brodmann.brain_data import StimulusSet

STORY = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."


@pytest.fixture(scope="module")
def model(test_weights):
    add_model("stories260k-llama", test_weights / "stories260k-llama")
    return load_model("stories260k-llama")


def test_it_is_the_llama_of_its_card(model):
    assert sum(parameter.numel() for parameter in model.module.parameters()) == 260_032
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float32}
    assert (model.pooling, model.max_tokens) == ("last", 512)
    texts = StimulusSet({"stimulus_id": ["a", "b"], "sentence": ["The dog saw a ball.", "Rain."]})
    assert model.sizes(texts) == dict.fromkeys(model.layers, 64)


def test_it_is_read_as_the_folder_itself_is(model, test_weights):
    texts = StimulusSet({"stimulus_id": ["a", "b"], "sentence": [STORY, "Rain."]})
    folder = load_model(f"hf:{test_weights / 'stories260k-llama' / 'hf'}")
    assert folder.layers == model.layers
    for layer, values in folder.extract(texts).items():
        np.testing.assert_array_equal(model.extract(texts, [layer])[layer].values, values.values)


def surprise(model, ids):
    """Mean -log p of each next token, by the tied head."""
    with torch.inference_mode():
        hidden = model.module(input_ids=ids[None]).last_hidden_state[0]
        logits = hidden @ model.module.embed_tokens.weight.T
    return float(torch.nn.functional.cross_entropy(logits[:-1], ids[1:]))


def test_it_has_learned_to_expect_the_words_of_a_story_in_their_order(model):
    def of(text):
        return surprise(model, torch.tensor(model.tokenizer(text)["input_ids"]))

    rng = np.random.default_rng(0)
    shuffled = [of(" ".join(rng.permutation(STORY.split()))) for _ in range(10)]
    assert of(STORY) < 1
    assert min(shuffled) > of(STORY) + 2
