"""A model does not change: readouts and lesions are views of the same weights, whoever uses them and in which order."""

import threading

import numpy as np
import pytest
import torch
from torch import nn

from brodmann import UserError, load_model
from brodmann.fingerprint import fingerprint
from brodmann.models import (
    ImagePreprocessing,
    LanguageModel,
    Lesion,
    Readout,
    VisionModel,
    lesioned,
    lesions_in,
)
from brodmann.models.architectures.random_transformer import ByteTokenizer, RandomTransformer
from brodmann.models.sheet import grid_sheet

LAYERS = ["conv", "head"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3)
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        return self.head(self.conv(x).relu().mean((2, 3)))


@pytest.fixture
def model():
    preprocess = ImagePreprocessing(8)
    return VisionModel(
        Net(), identifier="net", preprocess=preprocess, layers=LAYERS, cache=False, batch_size=2
    )


@pytest.mark.parametrize(
    "name", ["readout", "lesions", "made_by", "cache", "device", "module", "something_new"]
)
def test_nothing_of_a_network_can_be_set(model, name):
    before = dict(vars(model))
    with pytest.raises(
        AttributeError, match=f"'{name}' of 'net' cannot be set, because a model does not change"
    ):
        setattr(model, name, None)
    with pytest.raises(AttributeError, match="does not change"):
        del model.readout
    assert dict(vars(model)) == before


@pytest.mark.parametrize("name", ["word-length-frequency", "simulated-truth"])
def test_nothing_of_a_model_without_a_network_can_be_set(name):
    model = load_model(name)
    before = dict(vars(model))
    for attribute in ("identifier", "digest", "something_new"):
        with pytest.raises(AttributeError, match=f"'{attribute}' of '{name}' cannot be set, because a model"):
            setattr(model, attribute, None)
    assert dict(vars(model)) == before


class Plain(VisionModel):
    def __init__(self, **options):
        super().__init__(Net(), identifier="net", preprocess=ImagePreprocessing(8), layers=LAYERS, **options)
        self.extra = 1


class Below(Plain):
    """Has no constructor of its own."""


class Beside(Below):
    def __init__(self, **options):
        super().__init__(**options)
        self.more = self.extra + 1


@pytest.mark.parametrize("kind", [Plain, Below, Beside])
def test_a_subclass_sets_attributes_of_its_own_until_its_constructor_has_run(kind):
    model = kind(cache=False)
    assert model.extra == 1
    with pytest.raises(AttributeError, match="'extra' of 'net' cannot be set"):
        model.extra = 2
    view = model.replaced(extra=2)
    assert (view.extra, model.extra) == (2, 1)
    with pytest.raises(AttributeError, match="does not change"):
        view.extra = 3


def test_an_edit_of_ones_own_constructor_is_seen():
    def kind(width):
        space = {"VisionModel": VisionModel, "__name__": "__main__"}
        exec(f"class Mine(VisionModel):\n def __init__(self):\n  self.width = {width}", space)
        return space["Mine"]

    assert fingerprint(kind(1)).digest == fingerprint(kind(1)).digest != fingerprint(kind(2)).digest


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batchsize": 4}, "unknown setting of net 'batchsize': did you mean 'batch_size'"),
        ({"digest": "0"}, "unknown setting of net 'digest'"),
        ({"extract": None}, "unknown setting of net 'extract'"),
        ({"batch_size": 0}, "net: batch_size must be at least 1, not 0"),
        ({"batch_size": "4"}, "net: batch_size must be at least 1, not '4'"),
        ({"layers": ["convv"]}, "unknown layer of net 'convv': did you mean 'conv'"),
        ({"lesions": [Lesion("convv", [1])]}, "unknown layer of net 'convv': did you mean 'conv'"),
        ({"device": "cpuu"}, "net: device 'cpuu' cannot be used here"),
        ({"module": None}, "net: expected a torch.nn.Module, not NoneType"),
        ({"readout": "mean"}, "net: 'mean' is no readout: give Readout.*'none', 'mean' or 'max'"),
    ],
)
def test_a_view_with_what_a_model_cannot_take_is_refused_in_one_line(model, settings, message):
    with pytest.raises(UserError, match=message) as refused:
        model.replaced(**settings)
    assert "\n" not in str(refused.value)


def test_a_view_on_a_device_of_its_own_is_refused(model, monkeypatch):
    monkeypatch.setattr("brodmann.device._n_cards", lambda: 2)
    for name in ("cuda", "cuda:1"):
        with pytest.raises(
            UserError, match=f"net: a view shares its weights, which lie on cpu: name device='{name}'"
        ):
            model.replaced(device=name)


def test_a_readout_that_is_none_is_refused_wherever_it_is_given(model, pictures):
    for call in (
        model.with_readout,
        lambda readout: model.extract(pictures, readout=readout),
        lambda readout: load_model("pixels", readout=readout),
    ):
        with pytest.raises(UserError, match=r"'mean' is no readout: give Readout\(pool=...\)"):
            call("mean")


def test_views_of_other_layers_sheets_and_a_device_by_its_name(model, pictures):
    view = model.replaced(layers=["conv"], sheets=[grid_sheet("head", 4)], device="cpu", batch_size=3)
    assert (view.layers, view.device, view.batch_size) == (["conv"], torch.device("cpu"), 3)
    assert len(view.sheet("head")) == 4
    assert list(view.extract(pictures)) == ["conv"]
    assert (model.layers, model.sheet("head"), model.batch_size) == (LAYERS, None, 2)


def test_a_view_of_a_reader_pools_as_its_constructor_allows(sentences):
    reader = LanguageModel(
        RandomTransformer(width=32, n_layers=1), ByteTokenizer(), identifier="reader", layers=["blocks.0"]
    )
    assert reader.replaced(pooling="mean").digest != reader.digest
    with pytest.raises(UserError, match="reader: pooling must be 'last', 'mean' or 'word-end', not 'first'"):
        reader.replaced(pooling="first")
    with pytest.raises(UserError, match="reader: max_tokens must be at least 1, not 0"):
        reader.replaced(max_tokens=0)


def test_a_readout_is_an_argument_or_a_view_and_the_model_stays_as_it_was(model, pictures):
    whole = model.extract(pictures)
    pooled = Readout(pool="mean")
    given = model.extract(pictures, readout=pooled)["conv"]
    np.testing.assert_allclose(given, whole["conv"].values.reshape(7, 6, -1).mean(2), rtol=1e-5, atol=1e-6)
    assert model.sizes(pictures, readout=pooled) == {"conv": 6, "head": 4}
    view = model.with_readout(pooled)
    np.testing.assert_array_equal(view.extract(pictures)["conv"], given)
    assert view.module is model.module
    assert model.readout == Readout()
    assert view.digest == model.replaced(readout=pooled).digest != model.digest
    assert view.with_readout(Readout()).digest == model.digest
    np.testing.assert_array_equal(model.extract(pictures)["conv"], whole["conv"])


def test_a_view_sees_weights_that_are_trained_on(model, pictures):
    view = lesioned(model, Lesion("conv", [2]))
    before = view.digest, view.extract(pictures)["head"].values
    with torch.no_grad():
        model.module.head.bias += 1.0
    assert view.digest != before[0]
    np.testing.assert_allclose(view.extract(pictures)["head"].values, before[1] + 1, rtol=1e-5)


def test_views_used_in_turn_give_each_its_own_numbers(model, pictures):
    views = [model, *(lesioned(model, Lesion("conv", [i], "scale", factor=3.0)) for i in range(3))]
    expected = [view.extract(pictures)["head"].values for view in views]
    assert len({one.tobytes() for one in expected}) == 4
    passes = [view._passes(LAYERS, pictures, "none", view._look(pictures, LAYERS)[1]) for view in views]
    found = [[] for _ in views]
    for _ in range(4):  # a batch of each, then the next of each
        for batches, steps in zip(found, passes, strict=True):
            batches.append(next(steps)[1]["head"])
    for batches, whole in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.concatenate(batches), whole)
    assert not model.module.conv._forward_hooks


def test_views_used_by_several_threads_give_each_its_own_numbers(model, pictures):
    views = [model, *(lesioned(model, Lesion("conv", [i], "scale", factor=3.0)) for i in range(3))]
    expected = [(view.extract(pictures)["head"].values, view.digest) for view in views]
    found = [[] for _ in views]
    start = threading.Barrier(len(views))

    def work(view, answers):
        start.wait()
        for _ in range(15):
            answers.append((view.extract(pictures)["head"].values, view.digest))

    threads = [threading.Thread(target=work, args=pair) for pair in zip(views, found, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answers, (values, digest) in zip(found, expected, strict=True):
        assert len(answers) == 15
        for one, known_by in answers:
            np.testing.assert_array_equal(one, values)
            assert known_by == digest


def test_passes_of_ones_own_have_the_lesions_of_their_view_alone(model, pictures):
    x = torch.ones(1, 3, 8, 8)
    silent = lesioned(model, Lesion("conv", range(6)))
    whole, digest = model.extract(pictures)["head"].values, silent.digest
    with silent.running() as module, torch.no_grad():
        torch.testing.assert_close(module(x)[0], module.head.bias)
        np.testing.assert_array_equal(model.extract(pictures)["head"].values, whole)
        assert silent.digest == digest  # what runs now is no part of what it is
        torch.testing.assert_close(module(x)[0], module.head.bias)
    assert not torch.allclose(model.module(x)[0], model.module.head.bias)


def test_a_bare_module_has_its_lesions_in_the_block_and_its_models_do_not(model, pictures):
    x = torch.ones(1, 3, 8, 8)
    whole = model.extract(pictures)["head"].values
    with lesions_in(model.module, Lesion("conv", range(6))), torch.no_grad():
        torch.testing.assert_close(model.module(x)[0], model.module.head.bias)
        np.testing.assert_array_equal(model.extract(pictures)["head"].values, whole)


def test_surprisal_is_that_of_the_view(sentences):
    class Reader(RandomTransformer):
        def forward(self, input_ids, attention_mask):
            return super().forward(input_ids, attention_mask) @ self.embed.weight.T

    reader = LanguageModel(
        Reader(width=32, n_layers=1), ByteTokenizer(), identifier="reader", layers=["blocks.0"], cache=False
    )
    silent = reader.with_lesions(Lesion("blocks.0", range(32)))
    np.testing.assert_allclose(silent.surprisal(sentences), np.log(257), rtol=1e-5)  # every byte as likely
    assert not np.allclose(reader.surprisal(sentences), np.log(257), rtol=1e-3)


def test_layers_are_looked_for_once_and_every_view_knows_them():
    module = Net()
    calls = []
    module.register_forward_pre_hook(lambda *_: calls.append(1))
    model = VisionModel(module, identifier="net", preprocess=ImagePreprocessing(8), cache=False)
    view = model.with_readout(Readout(pool="mean"))
    assert view.layers == model.layers == LAYERS
    assert len(calls) == 2  # their order, and which have a row for every picture
    model.layers.append("mine")
    assert model.layers == LAYERS


def test_an_unknown_layer_is_refused_when_the_view_is_taken(model):
    with pytest.raises(UserError, match="unknown layer of net 'convv': did you mean 'conv'"):
        lesioned(model, Lesion("convv", [1]))


def test_a_network_says_what_it_is(model):
    assert repr(model) == "VisionModel('net', vision, Net, 196 parameters, 2 layers conv ... head, cpu)"
    view = lesioned(
        model.with_readout(Readout(pool="mean", project=3)), Lesion("conv", [1]), Lesion("conv", [2])
    )
    assert repr(view).endswith(
        "cpu, mean over space, at most 3 sparse random projections (seed 0), lesions: 2)"
    )
    unread = VisionModel(Net(), identifier="net", preprocess=ImagePreprocessing(8))
    assert "layers not looked for yet" in repr(unread)
    assert repr(load_model("word-length-frequency")) == (
        "WordLengthFrequency('word-length-frequency', language, layer features)"
    )
