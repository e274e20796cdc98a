"""Vision adapters: known answers, early exit, batches, the cache."""

import os

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from brodmann import UserError, load_model
from brodmann.models import ImagePreprocessing, VisionModel
from brodmann.models.extraction import activation_cache

SMALL = ImagePreprocessing(8)


class Net(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first = nn.Conv2d(3, 4, 3)
        self.second = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 2, 3))
        self.head = nn.Linear(2 * 4 * 4, 3)
        self.unused = nn.Linear(2, 2)
        self.calls = {"head": 0}
        for parameter in self.parameters():
            parameter.data.normal_(generator=generator)

    def forward(self, x):
        x = self.second(self.first(x))
        self.calls["head"] += 1
        return self.head(x.flatten(1))


def model(net=None, **options):
    options = {"identifier": "net", "preprocess": SMALL, "layers": ["first", "second"]} | options
    return VisionModel(net or Net(), **options)


def test_any_layer_has_a_control_sheet():
    plain = model().control_sheet("first")
    assert (plain.shape, plain.reads, plain.layout) == ((2, 2), "channel", "row-major")
    shuffled = model().control_sheet("first", random_state=3)
    assert shuffled.layout == "permuted(3)"
    assert sorted(map(tuple, shuffled.positions)) == sorted(map(tuple, plain.positions))
    assert len(model().control_sheet("head")) == 3


def test_activations_are_the_modules_own_outputs(pictures):
    net = Net()
    found = model(net, cache=False).extract(pictures)
    batch = torch.stack([SMALL(Image.open(pictures.stimulus_paths[one])) for one in pictures["stimulus_id"]])
    with torch.no_grad():
        expected = net.first(batch)
    first = found["first"]
    np.testing.assert_allclose(first.values, expected.flatten(1).numpy(), rtol=1e-5, atol=1e-6)
    assert first.dims == ("presentation", "neuroid")
    assert first.dtype == np.float32
    assert first["stimulus_id"].values.tolist() == pictures["stimulus_id"].tolist()
    unit = first.sel(neuroid=(first["channel"] == 2) & (first["row"] == 1) & (first["column"] == 5))
    np.testing.assert_allclose(unit.values[:, 0], expected[:, 2, 1, 5].numpy(), rtol=1e-5, atol=1e-6)


def test_sizes_are_the_numbers_of_units(pictures):
    assert model().sizes(pictures) == {"first": 4 * 6 * 6, "second": 2 * 4 * 4}


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64])
def test_the_batch_size_changes_nothing(pictures, batch_size):
    whole = model(cache=False).extract(pictures)
    parts = model(cache=False, batch_size=batch_size).extract(pictures)
    for layer in whole:
        np.testing.assert_allclose(parts[layer].values, whole[layer].values, atol=1e-5)


def test_the_pass_stops_after_the_last_layer_asked_for(pictures):
    net = Net()
    model(net, cache=False).extract(pictures, ["first"])
    probes = net.calls["head"]
    model(net, cache=False, batch_size=1).extract(pictures, ["first"])
    assert net.calls["head"] == 2 * probes  # the probe runs to the end, the seven batches do not


def test_hooks_are_gone_and_training_mode_is_restored(pictures):
    net = Net().train()
    model(net, cache=False).extract(pictures)
    assert net.training
    assert not any(module._forward_hooks for module in net.modules())


def test_every_module_gets_its_own_mode_back(pictures):
    net = Net().train()
    net.second.eval()
    model(net, cache=False).extract(pictures)
    assert [net.training, net.first.training, net.second.training, net.second[1].training] == [1, 1, 0, 0]


def test_a_network_that_catches_exceptions_does_not_catch_the_early_exit(pictures):
    class Careful(Net):
        def forward(self, x):
            try:
                x = self.first(x)
            except Exception:
                x = torch.zeros(len(x), 4, 6, 6)
            return self.head(self.second(x).flatten(1))

    net, later = Careful(), []
    net.head.register_forward_pre_hook(lambda *_: later.append(1))
    model(net, cache=False).extract(pictures, ["first"])
    assert len(later) == 1  # the probe


def test_default_layers_are_the_modules_in_forward_order():
    assert model(layers=None).layers == ["first", "second.0", "second.1", "second", "head"]


def test_a_layer_called_twice_gives_its_last_output(pictures):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.same = nn.Identity()

        def forward(self, x):
            return self.same(2 * self.same(x))

    found = VisionModel(Twice(), identifier="twice", preprocess=SMALL, layers=["same"], cache=False)
    once = VisionModel(
        nn.Sequential(nn.Identity()), identifier="once", preprocess=SMALL, layers=["0"], cache=False
    )
    np.testing.assert_allclose(
        found.extract(pictures)["same"].values, 2 * once.extract(pictures)["0"].values, rtol=1e-6
    )


def test_the_cache_answers_the_second_time_and_no_network_runs(pictures):
    first = model(Net(1)).extract(pictures)
    net, passes = Net(1), []
    # a hook on the network itself might change what it gives, and so would be another network
    handle = register_module_forward_pre_hook(lambda module, _: passes.append(1) if module is net else None)
    try:
        for layer, values in model(net).extract(pictures).items():
            xr.testing.assert_identical(values, first[layer])
        assert not passes
        model(net).extract(pictures, ["first", "head"])  # one layer is there, the other is not
        assert len(passes) == 2  # the probe and the one batch
    finally:
        handle.remove()


@pytest.mark.parametrize("train", ["optimizer", "data"])
def test_a_network_that_is_trained_on_gives_its_new_activations(pictures, train):
    net = Net(4)
    trained = model(net, layers=["first"])
    before = trained.extract(pictures)["first"].values.copy()
    if train == "optimizer":
        net.first(torch.ones(1, 3, 8, 8)).sum().backward()
        torch.optim.SGD(net.parameters(), lr=0.1).step()
    else:
        net.first.weight.data *= 2
    after = trained.extract(pictures)["first"].values
    np.testing.assert_array_equal(after, model(net, cache=False).extract(pictures, ["first"])["first"].values)
    assert np.abs(after - before).max() > 0.01


class Scaled(nn.Module):
    def __init__(self, factor, offset=0.0):
        super().__init__()
        self.factor = factor
        self.register_buffer("offset", torch.tensor(offset), persistent=False)

    def forward(self, x):
        return x * self.factor + self.offset


def test_what_is_neither_a_weight_nor_printed_has_other_keys():
    def digest(*scaled):
        return model(nn.Sequential(Scaled(*scaled)), layers=["0"]).digest

    assert digest(2) == digest(2)
    assert len({digest(2), digest(3), digest(2, 1.0)}) == 3


def test_an_edited_module_inside_a_container_of_torch_has_another_key(pictures, tmp_path):
    path = tmp_path / "part_of_mine.py"
    found = []
    for line in ("x + 1", "x + 2"):
        path.write_text(
            "from torch import nn\n\nclass Part(nn.Module):\n    def forward(self, x):\n"
            f"        return {line}\n\ndef make():\n"
            "    from brodmann.models import ImagePreprocessing, VisionModel\n"
            "    return VisionModel(nn.Sequential(Part()), identifier='part', "
            "preprocess=ImagePreprocessing(8), layers=['0'])\n"
        )
        os.utime(path, ns=(len(found) * 10**9, len(found) * 10**9))
        found.append(load_model(f"{path}:make").extract(pictures)["0"].values)
    np.testing.assert_allclose(found[1] - found[0], 1, rtol=1e-5)


def test_other_weights_or_preprocessing_or_pictures_have_other_keys(pictures):
    one = model(Net(1))
    assert one.digest == model(Net(1)).digest
    assert one.digest != model(Net(2)).digest
    assert one.digest != model(Net(1), preprocess=ImagePreprocessing(8, interpolation="bicubic")).digest
    shift = 0.5
    assert one.digest != model(Net(1), preprocess=lambda image: SMALL(image) + shift).digest


@pytest.mark.parametrize("harm", ["truncate", "flip", "sidecar"])
def test_a_damaged_cache_is_discovered_and_rebuilt(pictures, harm):
    net = model(Net(3), identifier=f"harm-{harm}")
    first = net.extract(pictures, ["second"])["second"].values.copy()
    files = sorted(
        (activation_cache.path_of("ab").parents[1]).rglob("*.npy"), key=lambda path: path.stat().st_mtime_ns
    )
    path = files[-1]
    content = path.read_bytes()
    if harm == "truncate":
        path.write_bytes(content[:-40])
    elif harm == "flip":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        path.with_suffix(".json").write_text("{")
    np.testing.assert_array_equal(net.extract(pictures, ["second"])["second"].values, first)


def test_a_misspelt_layer_is_answered_with_what_is_close(pictures):
    with pytest.raises(UserError, match="unknown layer of net 'frist': did you mean 'first'"):
        model(layers=["frist"])
    with pytest.raises(UserError, match="unknown layer of net 'secnd'"):
        model().extract(pictures, ["secnd"])


def test_layers_may_be_one_name_but_not_none(pictures):
    assert list(model(layers="first", cache=False).extract(pictures, "second")) == ["second"]
    assert model(layers="first").layers == ["first"]
    with pytest.raises(UserError, match="net: no layers were named"):
        model().extract(pictures, [])
    with pytest.raises(UserError, match="net: the stimulus set is empty"):
        model().extract(pictures.iloc[:0])


@pytest.mark.parametrize("device", ["gpu", "xpu"])
def test_a_device_that_is_not_there_is_one_line(device):
    with pytest.raises(UserError, match=f"net: device '{device}' cannot be used here"):
        model(device=device)


def test_a_layer_that_is_never_called_is_named(pictures):
    with pytest.raises(UserError, match="layer 'unused' of net never answered"):
        model().extract(pictures, ["unused"])


def test_values_that_are_not_finite_are_counted(pictures):
    net = Net()
    net.first.bias.data[:] = float("nan")
    with pytest.raises(
        UserError, match=r"layer 'first' of net gives 1008 values that are NaN .* \(first stimulus: 'p0'\)"
    ):
        model(net, cache=False).extract(pictures, ["first"])


def test_pictures_that_cannot_be_read_are_named(pictures, tmp_path):
    broken = pictures.copy(deep=True)
    broken.stimulus_paths = dict(pictures.stimulus_paths)
    broken.stimulus_paths["p3"] = tmp_path / "gone.png"
    with pytest.raises(UserError, match="stimulus 'p3' is not there"):
        model(cache=False).extract(broken)
    (tmp_path / "gone.png").write_bytes(b"not a picture")
    with pytest.raises(UserError, match="stimulus 'p3' cannot be read"):
        model(cache=False).extract(broken)
    del broken.stimulus_paths["p3"]
    with pytest.raises(UserError, match=r"1 stimuli have no picture in stimulus_paths \(first: 'p3'\)"):
        model(cache=False).extract(broken)


def test_pictures_of_16_bits_are_scaled_not_clipped(pictures, tmp_path):
    gray = np.arange(0, 2**16, 2**8, dtype=np.uint16).reshape(16, 16)
    deep = pictures.iloc[:1].copy(deep=True)
    deep.stimulus_paths = {"p0": tmp_path / "deep.png"}
    Image.fromarray(gray).save(tmp_path / "deep.png")
    whole = ImagePreprocessing(16, mean=(0, 0, 0), std=(1, 1, 1))
    seen = VisionModel(
        nn.Sequential(nn.Identity()), identifier="eye", preprocess=whole, layers=["0"], cache=False
    )
    shown = seen.extract(deep)["0"].values.reshape(3, 16, 16)
    np.testing.assert_allclose(shown, np.stack([gray / 65535] * 3), atol=1 / 255)
    Image.fromarray(gray.astype(np.float32)).save(tmp_path / "deep.tiff")
    deep.stimulus_paths = {"p0": tmp_path / "deep.tiff"}
    with pytest.raises(UserError, match="stimulus 'p0' cannot be read .* 32 bits a pixel"):
        seen.extract(deep)


def test_however_a_picture_is_damaged_its_stimulus_is_named(pictures, tmp_path):
    """A wrong number in a header, a size beyond all bounds, a chunk without a name."""
    png = pictures.stimulus_paths["p0"].read_bytes()
    at = png.index(b"IDAT")
    huge = b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0" + b"\xff\xff\xff\x0f" * 2 + b"\1\0\x18\0" + bytes(24)
    rubbish = [
        b"P6\n4\x8b 4\n255\n" + bytes(48),
        huge,
        png[: at + 4] + bytes(20) + png[at + 24 :],
        png[:at] + b"\x1dW6l" + png[at + 4 :],
        png[: len(png) // 2],
    ]
    broken = pictures.iloc[:1].copy(deep=True)
    broken.stimulus_paths = {"p0": tmp_path / "broken"}
    for content in rubbish:
        (tmp_path / "broken").write_bytes(content)
        with pytest.raises(UserError, match="the picture of stimulus 'p0' cannot be read"):
            model(cache=False).extract(broken)


def test_preprocessing_must_give_one_shape(pictures):
    def by_brightness(image):
        return SMALL(image) if np.asarray(image).mean() > 127.3 else ImagePreprocessing(9)(image)

    flat = VisionModel(nn.Flatten(), identifier="flat", preprocess=by_brightness, layers=[], cache=False)
    with pytest.raises(UserError, match="preprocess of flat gives tensors of different shapes"):
        list(flat._batches(pictures, "none"))


def test_a_forward_pass_that_cannot_be_done_is_one_line(pictures):
    with pytest.raises(
        UserError, match=r"the forward pass of Net failed: mat1 and mat2 shapes cannot be multiplied"
    ):
        model(preprocess=ImagePreprocessing(9), cache=False).extract(pictures)


def test_no_room_on_the_disk_is_said_before_anything_runs(pictures, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1, 1, 100))
    with pytest.raises(UserError, match=r"the activations would take 0.0 GiB and 0.0 GiB are free"):
        model(Net(9)).extract(pictures)
