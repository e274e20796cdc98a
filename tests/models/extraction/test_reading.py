"""What is read is what a module gave: before anything overwrites it, at the call and of the tensor that is named."""

import random
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from brodmann.errors import UserError
from brodmann.models import ImagePreprocessing, LanguageModel, VisionModel
from brodmann.models.extraction.decoding import decoded
from brodmann.models.extraction.readout import Readout
from brodmann.models.interventions.lesions import Lesion, lesioned

SMALL = ImagePreprocessing(8)


def vision(module, layers=None, **options):
    torch.manual_seed(0)
    return VisionModel(
        module, identifier="net", preprocess=SMALL, layers=layers, **{"cache": False} | options
    )


def shown(pictures):
    return torch.stack(
        [decoded(vision(nn.Flatten())._picture(pictures, row), SMALL, "net") for row in range(len(pictures))]
    )


class Overwriting(nn.Module):
    """A convolution whose output is written to, in some way, before the forward pass ends."""

    def __init__(self, how):
        super().__init__()
        torch.manual_seed(0)
        self.how = how
        self.conv = nn.Conv2d(3, 4, 3)
        self.flat = nn.Flatten()
        self.same = nn.Identity()
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        conv = self.conv(x)
        if self.how == "module":
            conv = self.relu(conv)
        elif self.how == "functional":
            conv = F.relu_(conv)
        elif self.how == "residual":
            conv += 1
        elif self.how == "part":
            conv[:, 0] = 7
        elif self.how == "view":
            self.flat(conv).zero_()
        elif self.how == "identity":
            conv = self.same(conv).mul_(3)
        elif self.how == "detached":
            conv.detach().add_(5)
        elif self.how == "data":
            conv.data.add_(5)
        elif self.how == "out":
            torch.mul(conv, 2, out=conv)
        elif self.how == "some pictures" and x.shape[0] > 1:  # the first look sees one, and no overwriting
            conv, before = conv.clone(), conv
            before.zero_()
        elif self.how == "inference":
            with torch.inference_mode():
                conv = self.conv(x)
                conv.relu_()
            conv = conv.clone()
        return self.head(conv)


WAYS = ["module", "functional", "residual", "part", "view", "identity", "detached", "data", "out", "some pictures",
        "inference"]  # fmt: skip


@pytest.mark.parametrize("how", WAYS)
def test_a_layer_that_is_overwritten_is_read_as_it_was(how, pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path))
    module = Overwriting(how).eval()
    with torch.no_grad():
        expected = module.conv(shown(pictures)).flatten(1).numpy()
    cached = vision(module, cache=True, batch_size=4)
    for layers in (["conv"], ["conv", "head"], ["head", "conv"]):
        for found in (vision(module, layers).extract(pictures), cached.extract(pictures, layers)):
            np.testing.assert_allclose(found["conv"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(cached.extract(pictures, ["conv"])["conv"], expected, rtol=1e-5, atol=1e-6)


def test_modules_that_give_their_inputs_storage_are_read_as_they_were(pictures):
    module = Overwriting("identity").eval()
    with torch.no_grad():
        conv = module.conv(shown(pictures))
    found = vision(module, ["conv", "same", "head"]).extract(pictures)
    np.testing.assert_allclose(found["same"], conv.flatten(1), rtol=1e-5, atol=1e-6)
    relu = Overwriting("module").eval()
    found = vision(relu, ["conv", "relu", "head"]).extract(pictures)
    np.testing.assert_allclose(found["relu"], conv.relu().flatten(1), rtol=1e-5, atol=1e-6)


def test_nothing_is_copied_where_nothing_overwrites(pictures):
    for how, copied in (("none", set()), ("module", {"conv"})):
        model = vision(Overwriting(how), ["conv", "head"])
        _, look = model._look(pictures, ["conv", "head"])
        assert look.copied == copied
        _, batch = next(model._batches(pictures, "none"))
        given = []
        model.module.conv.register_forward_hook(lambda _m, _i, out, to=given: to.append(out))
        kept = model._recorded(["conv", "head"], batch, look).tensors["conv"]
        assert (kept.data_ptr() == given[0].data_ptr()) == (not copied)


def test_what_comes_after_the_last_layer_overwrites_nothing_that_is_read(pictures):
    _, look = vision(Overwriting("module"), ["conv"])._look(pictures, ["conv"])
    assert look.copied == set()
    assert (look.stop.layer, look.stop.call) == ("conv", 1)


def test_a_lesion_comes_before_what_is_read_and_is_not_overwritten(pictures):
    model = lesioned(
        vision(Overwriting("module"), ["conv", "head"]), Lesion("conv", [0], "scale", factor=-2.0)
    )
    with torch.no_grad():
        conv = model.module.conv(shown(pictures))
    conv[:, 0] *= -2
    np.testing.assert_allclose(model.extract(pictures)["conv"], conv.flatten(1), rtol=1e-5, atol=1e-6)


# Calls


class Loop(nn.Module):
    """One cell, some number of times."""

    def __init__(self, times=3):
        super().__init__()
        torch.manual_seed(1)
        self.times, self.stem, self.cell, self.end = (
            times,
            nn.Conv2d(3, 4, 3),
            nn.Conv2d(4, 4, 1),
            nn.Flatten(),
        )

    def forward(self, x):
        x = self.stem(x)
        for _ in range(self.times):
            x = self.cell(x).tanh()
        return self.end(x)


def test_each_call_of_a_module_can_be_named(pictures):
    module = Loop().eval()
    expected = []
    with torch.no_grad():
        x = module.stem(shown(pictures))
        for _ in range(3):
            expected.append(module.cell(x).flatten(1).numpy())
            x = module.cell(x).tanh()
    model = vision(module)
    for names in (["cell@1"], ["cell@2", "cell@3"], ["cell", "cell@1"], ["cell@-2", "cell@last", "stem"]):
        for name, found in model.extract(pictures, names).items():
            call = {"cell": 2, "cell@last": 2, "cell@-2": 1, "cell@1": 0, "cell@2": 1, "cell@3": 2}.get(name)
            if call is not None:
                np.testing.assert_allclose(found, expected[call], rtol=1e-5, atol=1e-6)
    assert model.every_layer() == ["stem", "cell@1", "cell@2", "cell", "end"]
    assert model.shapes(["cell@2", "stem"]) == {"stem": (4, 6, 6), "cell@2": (4, 6, 6)}
    assert model.methods["calls"] == (
        "cell@1: call 1 of 3; cell@2, cell@-2: call 2 of 3; cell@3, cell, cell@last: call 3 of 3"
    )
    with pytest.raises(
        UserError, match="'cell' is called 3 times .* no call 4: name cell@3 or an earlier one"
    ):
        model.extract(pictures, ["cell@4"])
    with pytest.raises(UserError, match="unknown layer of net 'cel@2': did you mean 'cell'"):
        model.extract(pictures, ["cel@2"])


def test_the_default_call_is_said_from_the_cache_too(pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path))
    for _ in range(2):
        model = vision(Loop(5), ["cell"], cache=True)
        assert "calls" not in model.methods
        model.extract(pictures)  # the second time from the cache
        assert model.methods["calls"] == "cell: call 5 of 5"
        assert vision(Loop(1), ["cell"]).methods.get("calls") is None


def test_a_pass_stops_after_a_named_call(pictures):
    module = Loop(5)
    _, look = vision(module)._look(pictures, ["stem", "cell@2"])
    assert (look.stop.layer, look.stop.call) == ("cell", 2)
    module.end.register_forward_hook(lambda *_: pytest.fail("nothing after the second call is needed"))
    _, batch = next(vision(module)._batches(pictures, "none"))
    assert set(vision(module)._recorded(["stem", "cell@2"], batch, look).tensors) == {"stem", "cell@2"}


class Reader(nn.Module):
    """A recurrent cell, called once a token: its last call is the last token's."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.embed, self.cell, self.out = nn.Embedding(256, 6), nn.RNNCell(6, 5), nn.Linear(5, 3)

    def forward(self, idx):
        state = torch.zeros(len(idx), 5)
        for token in self.embed(idx).unbind(1):
            state = self.cell(token, state)
        return self.out(state)


def read(text):
    return {"input_ids": list(text.encode())}


def reader(layers=("cell",), **options):
    return LanguageModel(
        Reader().eval(), read, identifier="reader", layers=layers, **{"cache": False} | options
    )


def test_a_module_called_once_a_token_is_read_at_each_texts_own_last_call(sentences):
    model = reader()
    with torch.no_grad():
        expected = []
        for text in sentences["sentence"]:
            state = torch.zeros(1, 5)
            for token in model.module.embed(torch.tensor([read(text)["input_ids"]])).unbind(1):
                state = model.module.cell(token, state)
            expected.append(state[0].numpy())
    expected = np.stack(expected)
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        for size in (1, 3, 32):
            model = reader(batch_size=size)
            found = model.extract(sentences.iloc[order].reset_index(drop=True))["cell"]
            np.testing.assert_allclose(found, expected[order], rtol=1e-5, atol=1e-6)
    assert model.methods["calls"] == "cell: the last call for each stimulus, alone in its batch"
    second = reader(["cell@2"]).extract(sentences)["cell@2"]
    assert second.shape == (4, 5)
    with pytest.raises(
        UserError, match="'cell' is called 5 times for stimulus 'b', so that there is no call 9"
    ):
        reader(["cell@9"]).extract(sentences)


class Halting(nn.Module):
    """Goes on until a picture's own condition holds."""

    def __init__(self):
        super().__init__()
        self.cell = nn.AvgPool2d(1)
        self.seen = 0

    def forward(self, x):
        for _ in range(2 + (x.shape[0] > 1)):
            x = self.cell(x)
        return x


def test_a_number_of_calls_that_only_a_batch_shows_is_refused_and_right_one_by_one(pictures):
    with pytest.raises(
        UserError, match="'cell' of net is called as often as the stimulus needs .* batch_size=1"
    ):
        vision(Halting(), ["cell"]).extract(pictures)
    assert vision(Halting(), ["cell"], batch_size=1).extract(pictures)["cell"].shape == (7, 192)


# Tensors


class Several(nn.Module):
    """Gives more than one tensor, in some container."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, x):
        x = x.flatten(1)
        if self.kind == "tuple":
            return x, None, x + 1, (x + 2, [x + 3])
        if self.kind == "dict":
            return {"hidden": x, "more": {"deep": x + 1}, "pair": (x + 2, x + 3)}
        if self.kind == "ordered":
            return OrderedDict(hidden=x, more=OrderedDict(deep=x + 1), pair=[x + 2, x + 3])
        return [(x, x + 1), x + 2]


class Net(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.block = Several(kind)

    def forward(self, x):
        self.block(x)
        return x


@pytest.mark.parametrize(
    ("kind", "added"),
    [
        ("tuple", {"block": 0, "block#0": 0, "block#2": 1, "block#3.0": 2, "block#3.1.0": 3}),
        ("dict", {"block": 0, "block#hidden": 0, "block#more.deep": 1, "block#pair.1": 3, "block#0": 0}),
        (
            "ordered",
            {"block": 0, "block#hidden": 0, "block#more.deep": 1, "block#pair.1": 3, "block@1#pair.0": 2},
        ),
        ("list", {"block": 2, "block#0.0": 0, "block#0.1": 1, "block#1": 2}),
    ],
)
def test_every_tensor_that_a_module_gives_can_be_named(kind, added, pictures):
    model = vision(Net(kind))
    first = shown(pictures).flatten(1).numpy()
    for name, found in model.extract(pictures, list(added)).items():
        np.testing.assert_allclose(found, first + added[name], rtol=1e-6, atol=1e-6)
    assert set(model.shapes(list(added))) == set(added)
    listed = model.every_layer()
    assert listed[0] == "block"
    assert len(listed) == (3 if kind == "list" else 4)
    assert set(vision(Net(kind)).extract(pictures, listed)) == set(listed)
    assert "block: the first of" in model.methods["tensors"]
    with pytest.raises(UserError, match=r"unknown tensor 'block#hiden': (did you mean|block gives) '?block#"):
        model.extract(pictures, ["block#hiden"])


def test_a_tensor_of_a_module_that_gives_one_is_one_line(pictures):
    with pytest.raises(UserError, match="layer 'conv#1' gives one tensor: name it 'conv'"):
        vision(Overwriting("none")).extract(pictures, ["conv#1"])
    with pytest.raises(UserError, match="'cell@2' of net is a part of what 'cell' gives: lesion 'cell'"):
        lesioned(vision(Loop()), Lesion("cell@2", [0]))


# Steadiness


class Unsteady(nn.Module):
    def __init__(self, how):
        super().__init__()
        torch.manual_seed(0)
        self.how = how
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4, track_running_stats=how != "no running statistics")
        self.calls = 0

    def forward(self, x):
        x = self.conv(x)
        if self.how == "dropout":
            return F.dropout(x)
        if self.how == "little noise":
            return x + 1e-3 * torch.randn_like(x)
        if self.how == "rare":
            keep = torch.rand(len(x), 1, 1, 1) > 0.1
            return x * keep
        if self.how == "count":
            self.calls += 1
            return x + self.calls
        if self.how == "forced":
            self.bn.train()
        if self.how == "batch mean":
            return x - x.mean(0)
        if self.how == "drawn but unused":
            torch.rand(3)
            return x
        return self.bn(x)


class Whole(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.inner = Unsteady(how)

    def forward(self, x):
        return self.inner(x)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("dropout", "differently each time .* switch it off, or average over passes with Readout"),
        ("little noise", "differently each time"),
        ("rare", "differently each time"),
        ("count", "differently each time"),
        ("no running statistics", "differently alone than in a batch .* normalizes over the batch"),
        ("forced", "differently alone than in a batch"),
        ("batch mean", "differently alone than in a batch"),
    ],
)
def test_an_answer_that_changes_is_refused_and_nothing_is_kept(how, said, pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path))
    random.seed(0)
    torch.manual_seed(3)
    with pytest.raises(UserError, match=said):
        vision(Whole(how), ["inner"], cache=True).extract(pictures)
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and path.suffix in (".npy", ".partial")
    ]


def test_an_answer_that_never_changes_is_not_refused(pictures):
    assert vision(Whole("drawn but unused"), ["inner"]).extract(pictures)["inner"].shape == (7, 144)
    assert vision(Whole("steady"), ["inner"], readout=Readout(half=True)).extract(pictures)
    assert vision(Whole("no running statistics"), ["inner"], batch_size=1).extract(pictures)


def test_passes_are_averaged_and_seeded(pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path))
    steady = vision(Whole("steady"), ["inner.conv"]).extract(pictures)["inner.conv"].values

    def averaged(passes, **options):
        torch.manual_seed(random.randrange(2**31))  # whatever was drawn before
        model = vision(Whole("dropout"), ["inner"], readout=Readout(passes=passes, **options), cache=True)
        monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / f"{random.random()}"))
        return model.extract(pictures)["inner"].values, model

    state = torch.get_rng_state(), random.getstate()
    vision(Whole("dropout"), ["inner"], readout=Readout(passes=2)).extract(pictures)
    assert random.getstate() == state[1]
    eight, model = averaged(8)
    np.testing.assert_array_equal(eight, averaged(8)[0])
    assert not np.array_equal(eight, averaged(8, seed=1)[0])
    many, other = averaged(400)
    assert np.abs(many - steady).mean() < 0.3 * np.abs(eight - steady).mean()
    assert model.methods["passes"] == "mean of 8 passes, whose random numbers are seeded"
    assert len({model.digest, other.digest, model.with_readout(Readout()).digest}) == 3


class Flip:
    """Flips some pictures, with anybody's random numbers or its own."""

    def __init__(self, own):
        self.random = random.Random(0) if own else random

    def __call__(self, picture):
        pixels = SMALL(picture)
        return pixels.flip(2) if self.random.random() < 0.5 else pixels


@pytest.mark.parametrize("own", [False, True])
def test_a_random_crop_or_flip_is_found(own, pictures):
    model = VisionModel(
        Overwriting("none"), identifier="net", preprocess=Flip(own), layers=["conv"], cache=False
    )
    with pytest.raises(UserError, match="preprocess of net makes another tensor of stimulus 'p.' each time"):
        model.extract(pictures)
    view = model.with_readout(Readout(passes=4))
    first = view.extract(pictures)["conv"]
    if not own:
        np.testing.assert_array_equal(first, view.extract(pictures)["conv"])


class Both(nn.Module):
    """Reads from both sides and is not told what is padding."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.rnn = nn.Embedding(256, 6), nn.LSTM(6, 5, bidirectional=True, batch_first=True)

    def forward(self, tokens):
        return self.rnn(self.embed(tokens))[0]


def test_padding_that_is_read_is_found_and_texts_of_one_length_run_together(sentences):
    model = LanguageModel(Both(), read, identifier="both", layers=["rnn"], cache=False)
    assert not model.manner.pads
    alone = model.replaced(batch_size=1).extract(sentences)["rnn"]
    assert alone.shape == (4, 10)
    np.testing.assert_allclose(model.extract(sentences)["rnn"], alone, atol=1e-5)
    assert model.every_layer() == ["embed", "rnn"]  # the states have no row for a text


class ChannelsLast(nn.Module):
    """A feature map as Swin gives it, (batch, rows, columns, channels), normalized over channels."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.last = nn.Identity()
        self.norm = nn.LayerNorm(5)
        self.table = nn.Embedding(4, 5)

    def forward(self, x):
        mapped = self.norm(self.last(self.conv(x).permute(0, 2, 3, 1)))
        return mapped.mean((1, 2)) + self.table.weight.sum(0)


def test_a_map_with_its_channels_last_is_read_as_any_other(pictures):
    model = vision(ChannelsLast())
    found = model.extract(pictures, ["conv", "last"])
    np.testing.assert_array_equal(found["last"].values, found["conv"].values)
    np.testing.assert_array_equal(found["last"]["channel"], found["conv"]["channel"])
    pooled = model.extract(pictures, ["conv", "last", "norm"], readout=Readout(pool="mean"))
    assert pooled["last"].shape == (len(pictures), 5)
    np.testing.assert_allclose(pooled["last"], pooled["conv"], atol=1e-6)
    assert (pooled["norm"].std("presentation") > 1e-4).all()  # over space, not over what was normalized


class WithTable(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.position = nn.Conv2d(2, 6, 3)

    def forward(self, x):
        return self.conv(x) + self.position(torch.zeros_like(x[:1, :2]))


def test_what_says_nothing_of_single_pictures_is_no_default_layer(pictures):
    model = vision(WithTable())
    assert model.layers == ["conv"]
    with pytest.raises(UserError, match="its first axis must be the batch"):
        model.extract(pictures, ["position"])


def test_what_rounding_leaves_is_no_noise(pictures):
    """The mean over normalized channels is zero but for its last digits, other ones in another batch."""

    class Zero(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 64, 3)
            self.zero = nn.Identity()

        def forward(self, x):
            tokens = self.conv(x).flatten(2).transpose(1, 2)
            return self.zero(nn.functional.layer_norm(tokens, (64,)).mean(2))

    assert abs(vision(Zero()).extract(pictures, ["zero"])["zero"].values).max() < 1e-5
