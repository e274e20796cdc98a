"""MobileNetV1 and V2, of any width, depth and number of classes, with the names of timm or of torchvision."""

import re
from pathlib import Path

from ...architectures.mobilenet import V2_BLOCKS, MobileNetV1, MobileNetV2
from ...extraction.preprocessing import ImagePreprocessing
from .base import Recognized, Weights, channel_sheets, count, filled

KIND = "MobileNet"
_STEM, _TORCHVISION = "conv_stem.weight", "features.1.conv.0.0.weight"
_TENSORFLOW_MEAN = (0.5, 0.5, 0.5)
_FIRST = {"0.0": "conv_dw", "0.1": "bn1", "1": "conv_pw", "2": "bn2"}
_LATER = {"0.0": "conv_pw", "0.1": "bn1", "1.0": "conv_dw", "1.1": "bn2", "2": "conv_pwl", "3": "bn3"}


def fits(weights: Weights) -> bool:
    """Whether the names are its own: depthwise blocks that neither squeeze nor excite."""
    timm = _STEM in weights and "blocks.1.0.conv_dw.weight" in weights
    return _TORCHVISION in weights or (timm and not any(".se." in name for name in weights))


def recognize(weights: Weights, path: Path) -> Recognized:
    """A network for 224 pixels, its layers named as in timm.

    What was converted from TensorFlow (its batch normalizations are folded, so that no mean is left in them) is padded
    and shown pictures as there; what torch trained, as torch does.
    """
    from_tensorflow = _TORCHVISION not in weights and not weights["bn1.running_mean"].any()
    weights = as_timm(weights)
    depths = [count(weights, f"blocks.{stage}.{{}}.conv_dw.weight") for stage in range(7)]
    depths = depths[: depths.index(0)] if 0 in depths else depths
    second = "conv_head.weight" in weights
    last = [
        "conv_pwl" if f"blocks.{stage}.0.conv_pwl.weight" in weights else "conv_pw"
        for stage in range(len(depths))
    ]
    names = [_STEM, *(f"blocks.{stage}.0.{conv}.weight" for stage, conv in enumerate(last))]
    channels = [len(weights[name]) for name in [*names, *(["conv_head.weight"] if second else [])]]
    kind = MobileNetV2 if second else MobileNetV1
    n_classes = len(weights["classifier.weight"])
    network = filled(lambda: kind(n_classes, channels, depths, same_padding=from_tensorflow), weights, path)
    weights_of = {
        f"blocks.{stage}.{i}": f"blocks.{stage}.{i}.{last[stage]}"
        for stage, depth in enumerate(depths)
        for i in range(depth)
    }
    of_weights = [name for name, _ in network.named_modules() if re.search(r"(^|\.)conv_\w+$", name)]
    preprocess = ImagePreprocessing(224, resize=256)
    if from_tensorflow:
        preprocess = ImagePreprocessing(224, resize=256, mean=_TENSORFLOW_MEAN, std=_TENSORFLOW_MEAN)
    return Recognized(
        network,
        ["conv_stem", *weights_of, "global_pool", "classifier"],
        lambda layout: channel_sheets(network, [*of_weights, *weights_of], layout, weights_of),
        preprocess,
    )


def as_timm(weights: Weights) -> Weights:
    """Torchvision's names (``features.2.conv.0.0``) as timm's (``blocks.1.0.conv_pw``)."""
    if _TORCHVISION not in weights:
        return weights
    places = [(stage, i) for stage, depth in enumerate(V2_BLOCKS) for i in range(depth)]
    renamed = {"features.0.0": "conv_stem", "features.0.1": "bn1", "classifier.1": "classifier"}
    renamed |= {f"features.{len(places) + 1}.0": "conv_head", f"features.{len(places) + 1}.1": "bn2"}
    for number, (stage, i) in enumerate(places, 1):
        for old, new in (_LATER if stage else _FIRST).items():
            renamed[f"features.{number}.conv.{old}"] = f"blocks.{stage}.{i}.{new}"
    return {_renamed(name, renamed): value for name, value in weights.items()}


def _renamed(name: str, renamed: dict[str, str]) -> str:
    module, _, parameter = name.rpartition(".")
    return f"{renamed.get(module, module)}.{parameter}"
