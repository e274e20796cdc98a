"""Every architecture of brodmann is told from the names and shapes of its weights, whatever its size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from brodmann import UserError, load_model
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models.architectures.cct import CompactTransformer
from brodmann.models.architectures.cifar_resnet import CifarResNet
from brodmann.models.architectures.locally_connected import AllTNN, LocalShape
from brodmann.models.architectures.mlp import MLP
from brodmann.models.architectures.mobilenet import V2_BLOCKS, MobileNetV1, MobileNetV2
from brodmann.models.architectures.resnet import BasicBlock, Bottleneck, ResNet
from brodmann.models.architectures.squeezenet import SqueezeNet
from brodmann.models.catalogue import add_model
from brodmann.models.extraction.preprocessing import IMAGENET_MEAN
from brodmann.models.weights.detect_architecture import RECOGNIZERS, recognized

GREY = (0.5, 0.5, 0.5)


def trained(network):
    """With statistics and biases that no fresh network has."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value.copy_(
                    torch.rand(value.shape) + 0.5
                    if name.endswith("running_var")
                    else torch.randn(value.shape) / 9
                )
    return network.eval()


NETWORKS = {  # network, pixels, mean
    "cifar, 9 blocks, 100 classes": (lambda: CifarResNet(9, 100), 32, IMAGENET_MEAN),
    "cifar, half as wide": (lambda: CifarResNet(1, 10, width=8), 32, IMAGENET_MEAN),
    "cct, 2 blocks, one convolution": (
        lambda: CompactTransformer(widths=[128], n_layers=2, n_heads=2, n_inner=128), 32, (0.4914, 0.4822, 0.4465),
    ),
    "cct, two convolutions of 7 pixels": (
        lambda: CompactTransformer(n_tokens=16, widths=[16, 64], kernel=7, n_layers=1, n_heads=1, n_inner=32),
        1024 // 16, (0.4914, 0.4822, 0.4465),
    ),
    "mobilenet V1, a quarter, 7 classes": (lambda: MobileNetV1(7, (8, 16, 32, 64, 128, 256)), 224, IMAGENET_MEAN),
    "mobilenet V2, half, 7 classes": (
        lambda: MobileNetV2(7, (16, 8, 16, 16, 32, 48, 80, 160, 1280), same_padding=False), 224, IMAGENET_MEAN,
    ),
    "mobilenet V2, deeper": (
        lambda: MobileNetV2(3, (8,) * 9, (1, 3, 3, 5, 3, 4, 1), same_padding=False), 224, IMAGENET_MEAN,
    ),
    "squeezenet 1.0, 12 classes": (lambda: SqueezeNet(12), 224, IMAGENET_MEAN),
    "squeezenet 1.1": (lambda: SqueezeNet(5, "1.1"), 224, IMAGENET_MEAN),
    "mlp, three hidden layers": (lambda: MLP((64, 20, 30, 16, 4)), 8, (0.1307,) * 3),
    "resnet, inner width": (
        lambda: ResNet(BasicBlock, (1, 1, 1, 1), widths=(8, 8, 16, 16), inner=(4, 6, 8, 9), n_classes=5),
        224, IMAGENET_MEAN,
    ),
    "resnet, wide bottleneck": (
        lambda: ResNet(Bottleneck, (1, 2, 1, 1), widths=(8, 8, 8, 8), inner=(16, 16, 16, 16), n_classes=5),
        224, IMAGENET_MEAN,
    ),
    "resnet of brodmann train": (
        lambda: ResNet(BasicBlock, (1, 1, 1, 1), widths=(8, 8, 8, 8), n_classes=5, stem="small"), 32, GREY,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NETWORKS)
def test_a_network_of_any_size_is_itself_again(tmp_path, pictures, case):
    make, size, mean = NETWORKS[case]
    network = trained(make())
    path = tmp_path / "some.pt"
    torch.save(
        {"state_dict": {f"module.{name}": value for name, value in network.state_dict().items()}}, path
    )
    model = load_model(f"weights:{path}").replaced(cache=False)
    assert (model.preprocess.size, model.preprocess.mean) == (size, mean)
    torch.manual_seed(0)
    x = torch.randn(2, 3, min(size, 64), min(size, 64))
    with torch.no_grad():
        torch.testing.assert_close(model.module(x), network(x), rtol=0, atol=0)
    assert model.layers == [name for name in model.every_layer() if name in model.layers]  # in forward order
    mapped = [name for name in model.layers if model.sheet(name)]
    assert mapped
    for name in mapped:
        sheet, shape = model.sheet(name), model.shapes([name])[name]
        assert sheet.layout == "row-major"
        assert len(sheet.positions) == (shape[0] if sheet.reads == "channel" else shape[-1])  # of a token


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("cifar10-resnets/resnet20-12fca82f.th", "cifar10-resnet20"),
        ("cifar10-resnets/resnet32-d509ac18.th", "cifar10-resnet32"),
        ("mobilenetv2_100-tf2ptq/timm_mobilenetv2_100.safetensors", "mobilenetv2_100"),
        ("squeezenet1_0-deepcompression/torchvision_squeezenet1_0.safetensors", "squeezenet1_0"),
        ("topo-mlp-mnist/002_dataset-5x.safetensors", "topo-mlp-mnist-5x"),
    ],
)
def test_the_file_of_a_catalogue_network_gives_what_the_catalogue_gives(test_weights, pictures, file, name):
    path = test_weights / file
    add_model(name, path.parent)
    told, known = (load_model(one).replaced(cache=False) for one in (f"weights:{path}", name))
    assert told.layers == known.layers
    layers = known.layers[:: len(known.layers) // 3]
    found, expected = told.extract(pictures, layers), known.extract(pictures, layers)
    for layer in layers:
        np.testing.assert_array_equal(found[layer], expected[layer])
    assert told.methods["weights"] == "stored in float32, run in float32"


def torchvision_names(network):
    """MobileNetV2's state dict as torchvision writes it, spelled out."""
    names = {
        "conv_stem": "features.0.0",
        "bn1": "features.0.1",
        "conv_head": "features.18.0",
        "bn2": "features.18.1",
    }
    names |= {"classifier": "classifier.1"}
    number = 1
    for stage, depth in enumerate(V2_BLOCKS):
        for i in range(depth):
            parts = {
                "conv_pw": "0.0",
                "bn1": "0.1",
                "conv_dw": "1.0",
                "bn2": "1.1",
                "conv_pwl": "2",
                "bn3": "3",
            }
            if stage == 0:
                parts = {"conv_dw": "0.0", "bn1": "0.1", "conv_pw": "1", "bn2": "2"}
            names |= {
                f"blocks.{stage}.{i}.{ours}": f"features.{number}.conv.{theirs}"
                for ours, theirs in parts.items()
            }
            number += 1
    state = network.state_dict()
    return {
        f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value for key, value in state.items()
    }


def test_a_mobilenet_with_torchvisions_names(tmp_path):
    network = trained(MobileNetV2(7, (16, 8, 16, 16, 32, 48, 80, 160, 1280), same_padding=False))
    torch.save(torchvision_names(network), tmp_path / "some.pth")
    model = load_model(f"weights:{tmp_path / 'some.pth'}")
    x = torch.randn(2, 3, 65, 65)
    with torch.no_grad():
        torch.testing.assert_close(model.module(x), network(x), rtol=0, atol=0)


def test_the_real_mobilenet_under_either_names_sees_the_same(test_weights, test_data):
    """The same weights, with the padding and the scale of pictures of either package."""
    folder = test_weights / "mobilenetv2_100-tf2ptq"
    paths = sorted((test_data / "floc-subset" / "car").glob("*.[jp][pn]g"))[:12]
    stimuli = StimulusSet({"stimulus_id": [path.name for path in paths]})
    stimuli.stimulus_paths = {path.name: path for path in paths}
    ours, theirs = (
        load_model(f"weights:{folder / file}")
        .replaced(cache=False)
        .extract(stimuli, ["classifier"])["classifier"]
        for file in ("timm_mobilenetv2_100.safetensors", "torchvision_mobilenet_v2.safetensors")
    )
    assert np.mean([np.corrcoef(one, other)[0, 1] for one, other in zip(ours, theirs, strict=True)]) > 0.8


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_in_half_precision_run_in_float32_and_say_so(tmp_path, pictures, dtype):
    rounded = {
        name: one.to(dtype) if one.is_floating_point() else one
        for name, one in trained(CifarResNet(1)).state_dict().items()
    }
    full = {name: one.float() if one.is_floating_point() else one for name, one in rounded.items()}
    save_file(rounded, tmp_path / "half.safetensors")
    save_file(full, tmp_path / "full.safetensors")
    half, full = (
        load_model(f"weights:{tmp_path / one}.safetensors").replaced(cache=False) for one in ("half", "full")
    )
    assert half.methods["weights"] == f"stored in {str(dtype)[6:]}, run in float32"
    np.testing.assert_array_equal(half.extract(pictures)["layer3.0"], full.extract(pictures)["layer3.0"])


def test_the_weights_of_an_all_tnn_need_its_geometry(tmp_path):
    torch.save(
        AllTNN([LocalShape(4, 4, 3, 3, 4), LocalShape(2, 2, 3, 4, 4)]).state_dict(), tmp_path / "some.pt"
    )
    with pytest.raises(UserError, match=r"do not tell its strides and poolings: .* give all-tnn:FILE.npz"):
        load_model(f"weights:{tmp_path / 'some.pt'}")


def test_names_of_a_kind_whose_weights_are_not_of_it():
    for network in (
        CifarResNet(1),
        MobileNetV2(3, (8,) * 9),
        SqueezeNet(3),
        MLP((16, 8, 3)),
        ResNet(BasicBlock, (1,) * 4),
    ):
        state = network.state_dict()
        for name in list(state)[:: max(1, len(state) // 12)]:
            for changed in (None, torch.zeros(()), torch.zeros(2, 3), torch.zeros(1, 1, 1, 1, 1)):
                weights = {key: value for key, value in state.items() if key != name}
                weights |= {} if changed is None else {name: changed}
                if changed is None and name.endswith("num_batches_tracked"):
                    continue
                with pytest.raises(UserError, match="some.pt"):
                    recognized(weights, Path("some.pt"))


def test_no_file_is_of_two_kinds():
    for make, *_ in NETWORKS.values():
        weights = make().state_dict()
        assert sum(one.fits(weights) for one in RECOGNIZERS) == 1


def test_an_unknown_architecture_says_which_are_known(tmp_path):
    torch.save(nn.Sequential(nn.Linear(3, 4)).state_dict(), tmp_path / "some.pt")
    with pytest.raises(
        UserError, match=r"not known here \(its first name is '0.weight', and none of GPT, ViT"
    ):
        load_model(f"weights:{tmp_path / 'some.pt'}")


def test_a_compact_transformer_computes_what_its_authors_wrote():
    """By their formula, attention head by head, from the state dict alone."""
    network = trained(
        CompactTransformer(n_tokens=64, widths=[128], n_layers=2, n_heads=2, n_inner=96, n_classes=3)
    )
    w = {name: value.double() for name, value in network.state_dict().items()}
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)

    def norm(values, name):
        return nn.functional.layer_norm(values, (128,), w[f"{name}.weight"], w[f"{name}.bias"])

    seen = nn.functional.conv2d(x, w["tokenizer.conv_layers.0.0.weight"], stride=1, padding=1).relu()
    tokens = (
        nn.functional.max_pool2d(seen, 3, 2, 1).flatten(2).transpose(1, 2) + w["classifier.positional_emb"]
    )
    for i in range(2):
        block = f"classifier.blocks.{i}"
        q, k, v = (norm(tokens, f"{block}.pre_norm") @ w[f"{block}.self_attn.qkv.weight"].T).split(128, dim=2)
        heads = []
        for part in (slice(0, 64), slice(64, 128)):
            share = (q[:, :, part] @ k[:, :, part].transpose(1, 2) / 8).softmax(dim=2)
            heads.append(share @ v[:, :, part])
        attended = (
            torch.cat(heads, 2) @ w[f"{block}.self_attn.proj.weight"].T + w[f"{block}.self_attn.proj.bias"]
        )
        tokens = norm(tokens + attended, f"{block}.norm1")
        inner = nn.functional.gelu(tokens @ w[f"{block}.linear1.weight"].T + w[f"{block}.linear1.bias"])
        tokens = tokens + inner @ w[f"{block}.linear2.weight"].T + w[f"{block}.linear2.bias"]
    tokens = norm(tokens, "classifier.norm")
    share = (tokens @ w["classifier.attention_pool.weight"].T + w["classifier.attention_pool.bias"]).softmax(
        dim=1
    )
    pooled = (share.transpose(1, 2) @ tokens)[:, 0]
    expected = pooled @ w["classifier.fc.weight"].T + w["classifier.fc.bias"]
    torch.testing.assert_close(network.double()(x), expected, rtol=1e-9, atol=1e-9)
