"""Networks of every make that lenses must read, with random weights."""

import numpy as np
import pytest
import torch

from brodmann.models import LanguageModel
from brodmann.models.architectures.gpt import GPT, GPTShape
from brodmann.models.architectures.random_transformer import ByteTokenizer

VOCABULARY = 260


def wrapped(module, identifier="small"):
    return LanguageModel(
        module, ByteTokenizer(), identifier=identifier, layers=[], max_tokens=32, cache=False
    )


def gpt(seed=0, n_layer=3):
    torch.manual_seed(seed)
    module = GPT(GPTShape(n_layer=n_layer, n_head=2, n_embd=32, vocab_size=VOCABULARY, block_size=32))
    with torch.no_grad():
        for name, value in module.named_parameters():
            value.normal_(0, 0.15) if value.ndim == 2 else value.uniform_(0.5, 1.5)
            if name.endswith("wpe.weight"):
                value.mul_(0.3)
    return module.eval()


def hugging_face(kind, **options):
    import transformers

    torch.manual_seed(1)
    sizes = {
        "GPT2": {"n_embd": 32, "n_layer": 3, "n_head": 2, "n_positions": 32},
        "Llama": {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48},
        "GPTNeoX": {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48},
        "Gemma": {
            "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 1,
            "intermediate_size": 48, "head_dim": 16,
        },
    }[kind]  # fmt: skip
    config = getattr(transformers, f"{kind}Config")(vocab_size=VOCABULARY, **sizes, **options)
    head = "GPT2LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM"
    module = getattr(transformers, head)(config)
    with torch.no_grad():
        for value in module.parameters():
            value.normal_(0, 0.2) if value.ndim == 2 else value.uniform_(0.2, 1.2)
    return module.eval()


KINDS = ["gpt", "GPT2", "Llama", "GPTNeoX", "Gemma"]


@pytest.fixture(params=KINDS)
def any_model(request):
    module = gpt() if request.param == "gpt" else hugging_face(request.param)
    return wrapped(module, request.param)


@pytest.fixture
def small():
    return wrapped(gpt())


@pytest.fixture
def windows():
    generator = np.random.default_rng(0)
    return [generator.integers(1, VOCABULARY, size=n) for n in (12, 12, 7, 20, 12, 1)]


@pytest.fixture
def llama():
    return wrapped(hugging_face("Llama"), "Llama")
