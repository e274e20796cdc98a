"""Networks and tokenizers of strangers: what is read is what was meant, or one line says why not."""

from collections import namedtuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from brodmann.brain_data import StimulusSet
from brodmann.errors import UserError
from brodmann.models import ImagePreprocessing, LanguageModel, Readout, VisionModel
from brodmann.models.interventions.lesions import Lesion, lesioned

TEXTS = [
    "a b c d",
    "the dog ran away",
    "one two three four five six",
    "a tree is green",
    "we are here now and",
]
WORDS = {
    word: place + 1 for place, word in enumerate(sorted({word for text in TEXTS for word in text.split()}))
}


def known_words(text):
    return [WORDS[word] for word in text.split()]


def any_words(text):
    return [WORDS.get(word, 1 + len(word)) for word in text.split()]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    stimuli = StimulusSet({"stimulus_id": [f"p{i:02d}" for i in range(20)]})
    stimuli.stimulus_paths = {name: folder / f"{name}.png" for name in stimuli["stimulus_id"]}
    for i, path in enumerate(stimuli.stimulus_paths.values()):
        pixels = rng.integers(0, 256, (8, 8, 3)) if i else np.zeros((8, 8, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return stimuli


def texts(some=TEXTS, **columns):
    return StimulusSet({"stimulus_id": [f"t{i}" for i in range(len(some))], "sentence": some} | columns)


def seen(call, layer="out", **options):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.Conv2d(3, 4, 3)
            self.rnn = nn.LSTM(4, 4)
            self.out = nn.Identity()

        def forward(self, x):
            return call(self, self.conv(x))

    options = {
        "identifier": "net",
        "preprocess": ImagePreprocessing(8),
        "layers": [layer],
        "cache": False,
    } | options
    return VisionModel(Net(), **options)


def read(module, tokenizer=any_words, layers=("out",), **options):
    return LanguageModel(module, tokenizer, identifier="net", layers=layers, cache=False, **options)


class Read(nn.Module):
    def __init__(self, call=lambda self, x: self.rnn(x)[0], **rnn):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(64, 16)
        self.rnn = nn.LSTM(16, 16, **{"batch_first": True} | rnn)
        self.block = nn.TransformerEncoderLayer(16, 2, 16, dropout=0, batch_first=True)
        self.out = nn.Identity()
        self.call = call

    def forward(self, idx):
        return self.out(self.call(self, self.embed(idx)))


def earlier(x):
    return torch.cat([x[:1], x[1:] - x[:-1]])


@pytest.mark.parametrize(
    "call",
    [
        lambda self, x: self.out(self.rnn(x.mean((2, 3)))[0]),  # over the pictures, as if they were steps
        lambda self, x: self.out(x - x[:1]),
        lambda self, x: self.out(x - x[-1:]),
        lambda self, x: self.out(earlier(x)),
    ],
)
def test_what_depends_on_its_place_in_the_batch_is_refused(pictures, call):
    with pytest.raises(UserError, match="differently alone than in a batch"):
        seen(call).extract(pictures)
    assert seen(call, batch_size=1).extract(pictures)["out"].shape[0] == 20


def test_a_recurrent_network_over_the_texts_of_a_batch_is_refused_or_reads_each_alone():
    with pytest.raises(UserError, match="differently alone than in a batch"):
        read(Read(batch_first=False)).extract(texts())


def test_private_noise_in_a_few_pictures_is_refused(pictures):
    rng = np.random.default_rng(0)

    def call(self, x):
        kept = torch.from_numpy(rng.random(len(x)) > 0.5).float()
        return self.out(x * kept[:, None, None, None])

    with pytest.raises(UserError, match="differently"):
        seen(call).extract(pictures)


def as_often_as_bright(self, x):
    for _ in range(1 + 2 * int(x.abs().amax() > float(self.conv.bias.abs().max()) + 0.5)):
        x = self.out(x + 1)
    return x


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_module_that_is_called_as_often_as_a_picture_needs_is_read_at_its_last_call(pictures, batch_size):
    model = seen(as_often_as_bright, batch_size=batch_size)
    some = pictures.iloc[:7]  # the first is black
    some.stimulus_paths = pictures.stimulus_paths
    found = model.extract(some)["out"].values
    with torch.no_grad():
        alone = [model.module(model._single(some, row)).flatten().numpy() for row in range(7)]
    assert len({round(float((one - two).mean()), 3) for one, two in zip(alone, found, strict=True)}) == 1
    np.testing.assert_allclose(found, alone, atol=1e-5)


def test_channels_are_no_tokens_and_a_table_of_positions_pads_no_text():
    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.ones(1, 64, 16))

        def forward(self):
            return self.table

    net = Read(lambda self, x: x + self.positions()[:, : x.shape[1]])
    net.positions = Table()
    assert read(net, layers=None).manner.multiple == 1
    convolutional = Read(lambda self, x: nn.functional.pad(x, (0, 0)).transpose(1, 2))
    model = read(convolutional, layers=None)
    assert model.manner.multiple == 1
    with pytest.raises(UserError, match="expected .batch, tokens, units."):
        model.extract(texts(), ["out"])


@pytest.mark.parametrize("layers", [None, ("embed",), ("block",)])
def test_how_a_network_reads_does_not_follow_from_the_layers_that_are_asked_for(layers):
    model = read(Read(lambda self, x: self.block(x)), layers=layers)
    assert model.manner.kind == "bidirectional"
    assert not model.manner.causal
    assert read(Read(), layers=layers).manner.kind == "recurrent"
    assert model.replaced(layers=["embed"]).pooling == "mean"


def test_no_later_text_leaks_into_a_passage_where_an_embedding_is_the_layer():
    stimuli, net = texts(story=["x"] * len(TEXTS)), Read(lambda self, x: self.block(x))
    one, other = (read(net, layers=[layer], pooling="last") for layer in ("embed", "block"))
    found = [model.extract(stimuli, ["block"], context="passage")["block"].values for model in (one, other)]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_averaged_passes_in_other_batches_are_other_numbers_in_the_cache():
    model = seen(lambda self, x: self.out(x), readout=Readout(passes=2))
    once = model.with_readout(Readout())
    assert model.digest != model.replaced(batch_size=1).digest
    assert once.digest == once.replaced(batch_size=1).digest


def padded(text, left=False):
    ids = any_words(text)
    fill = [0] * (20 - len(ids))
    mask = [1] * len(ids)
    both = (fill + ids, fill + mask) if left else (ids + fill, mask + fill)
    return dict(zip(("input_ids", "attention_mask"), both, strict=True))


@pytest.mark.parametrize(
    "tokenizer",
    [
        padded,
        lambda text: padded(text, left=True),
        lambda text: {name: torch.tensor([one]) for name, one in padded(text).items()},
        lambda text: [np.int64(one) for one in any_words(text)],
        known_words,
    ],
)
def test_a_tokenizers_padding_is_no_text(tokenizer):
    expected = read(Read()).extract(texts())["out"].values
    np.testing.assert_array_equal(read(Read(), tokenizer).extract(texts())["out"].values, expected)


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        (lambda text: padded(text)["input_ids"], "fills every text up to 20 tokens"),
        (lambda text: [[1, 2], [3, 4]], "2 rows of ids for one text"),
        (lambda text: None, "gives NoneType for a text"),
        (lambda text: {}["a"], "the tokenizer fails for 'a b c d': KeyError"),
    ],
)
def test_a_tokenizer_that_cannot_be_used_is_refused(tokenizer, words):
    with pytest.raises(UserError, match=words):
        read(Read(), tokenizer).extract(texts())


def test_numbers_are_names_first():
    net = seen(lambda self, x: self.out({"1": x[:, :1], "0": x[:, :2]})["1"], layer="out#0")
    assert net.shapes(["out#0", "out#1"]) == {"out#0": (2, 6, 6), "out#1": (1, 6, 6)}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounding_in_half_precision_is_no_dependence_on_the_batch(dtype):
    torch.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(16, 16), nn.LayerNorm(16), nn.ReLU()) for _ in range(12)]
    net = nn.Sequential(nn.Embedding(64, 16), *layers).to(dtype)
    model = LanguageModel(net, any_words, identifier="net", layers=["12"], cache=False)
    assert np.isfinite(model.extract(texts())["12"].values).all()


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda self, x: self.out(torch.fft.rfft2(x)), "gives a complex tensor"),
        (lambda self, x: self.out(x.to_sparse()), "gives a sparse tensor"),
        (lambda self, x: self.out(torch.nested.nested_tensor(list(x))), "gives a nested tensor"),
        (lambda self, x: torch.func.vmap(self.out)(x), "gives a batched .* tensor"),
        (lambda self, x: self.out(x[:, :0]), "has no units"),
        (
            lambda self, x: self.out(nn.BatchNorm1d(4, track_running_stats=False)(x.mean((2, 3)))),
            "over the batch",
        ),
    ],
)
def test_what_cannot_be_read_as_numbers_is_one_line(pictures, call, words):
    with pytest.raises(UserError, match=words):
        seen(call).extract(pictures)


def test_a_preprocess_that_fails_names_the_stimulus(pictures):
    with pytest.raises(UserError, match="fails for stimulus 'p19': ZeroDivisionError"):
        seen(lambda self, x: self.out(x), preprocess=lambda picture: 1 / 0).extract(pictures)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_quantized_numbers_are_read_as_what_they_stand_for(pictures):
    quantized = seen(lambda self, x: self.out(torch.quantize_per_tensor(x, 1e-3, 0, torch.qint32)))
    plain = seen(lambda self, x: self.out(x)).extract(pictures)["out"].values
    np.testing.assert_allclose(quantized.extract(pictures)["out"].values, plain, atol=1e-3)


def test_a_named_tuple_is_lesioned(pictures):
    pair = namedtuple("pair", "hidden extra")
    model = seen(lambda self, x: self.out(pair(x, 1)).hidden * 1)
    found = lesioned(model, Lesion("out", np.array([1]))).extract(pictures)["out"].values.reshape(20, 4, -1)
    assert [bool(found[:, i].any()) for i in range(4)] == [True, False, True, True]


def test_padding_goes_through_torchs_own_encoder():
    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(64, 16)
            layer = nn.TransformerEncoderLayer(16, 2, 16, batch_first=True)
            self.out = nn.TransformerEncoder(layer, 2)

        def forward(self, idx, src_key_padding_mask=None):
            return self.out(self.embed(idx), src_key_padding_mask=src_key_padding_mask)

    model = read(Encoder())
    assert model.manner.pads
    np.testing.assert_allclose(
        model.extract(texts())["out"].values,
        model.replaced(batch_size=1).extract(texts())["out"].values,
        atol=1e-5,
    )
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_text_has_no_space_to_pool_over():
    assert "reading" not in read(Read()).with_readout(Readout(pool="mean")).methods


def test_positions_that_begin_behind_padding_are_not_read():
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.RobertaConfig(
        **sizes, intermediate_size=16, max_position_embeddings=18, pad_token_id=1
    )
    model = read(transformers.AutoModel.from_config(config), layers=None)
    assert model.max_tokens == 16
    assert (
        model.extract(texts(["the dog " * 20]), model.layers[-1:])[model.layers[-1]].attrs["truncated"] == 1
    )
