"""Architectures of timm with random weights, read by brodmann: one row each, as JSON; --page writes them into the docs.

A process of its own, in which torchvision's wheel, built for CUDA, can be imported beside a torch without it.
"""

import argparse
import json
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image

SIZE = 64
ARCHITECTURES = {
    "resnet10t": {}, "skresnet18": {}, "densenet121": {}, "regnetx_002": {}, "regnety_002": {}, "dla46_c": {},
    "cspdarknet53": {}, "repvgg_a0": {}, "mobileone_s0": {}, "gernet_s": {}, "test_nfnet": {},
    "convnext_atto": {}, "convnextv2_atto": {}, "inception_next_atto": {}, "mambaout_femto": {}, "starnet_s1": {},
    "mobilenetv2_035": {}, "mobilenetv3_small_050": {}, "mobilenetv4_conv_small_035": {}, "lcnet_035": {},
    "mnasnet_small": {}, "semnasnet_075": {}, "ghostnet_050": {}, "repghostnet_050": {}, "rexnet_100": {},
    "efficientnet_lite0": {}, "tinynet_e": {}, "fbnetc_100": {}, "repvit_m0_9": {}, "fastvit_t8": {},
    "vit_tiny_patch16_224": {"img_size": 64, "depth": 4},
    "deit_tiny_distilled_patch16_224": {"img_size": 64, "depth": 4},
    "cait_xxs24_224": {"img_size": 64, "depth": 3},
    "beit_base_patch16_224": {"img_size": 64, "depth": 3, "embed_dim": 24, "num_heads": 3},
    "eva02_tiny_patch14_224": {"img_size": 70, "depth": 3}, "convit_tiny": {"img_size": 64, "depth": 3},
    "xcit_nano_12_p16_224": {"depth": 3},
    "samvit_base_patch16": {"img_size": 64, "depth": 2, "embed_dim": 48, "num_heads": 3},
    "swin_tiny_patch4_window7_224": {"img_size": 64, "window_size": 4, "embed_dim": 24, "depths": (1, 1, 1, 1)},
    "swinv2_tiny_window8_256": {"img_size": 64, "window_size": 4, "embed_dim": 24, "depths": (1, 1, 1, 1)},
    "coat_lite_tiny": {"img_size": 64}, "pvt_v2_b0": {}, "pit_ti_224": {"img_size": 64}, "crossvit_tiny_240": {},
    "levit_128s": {"img_size": 64}, "edgenext_xx_small": {}, "mobilevit_xxs": {}, "mobilevitv2_050": {},
    "efficientvit_b0": {}, "swiftformer_xs": {}, "test_maxvit": {}, "test_coatnet": {},
    "inception_v3": {},
}  # fmt: skip
START, END = "<!-- timm: written by tests/models/zoo/timm_architectures.py -->", "<!-- timm: end -->"


def row(name, settings, pictures):
    """What came of one architecture."""
    import timm

    from brodmann.errors import UserError
    from brodmann.models import ImagePreprocessing, VisionModel

    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False, num_classes=4, **settings).eval()
    size = settings.get("img_size", 240 if "240" in name else SIZE)
    model = VisionModel(network, identifier=name, preprocess=ImagePreprocessing(size), cache=False)
    found = {
        "name": name,
        "kind": type(network).__name__,
        "settings": settings,
        "pixels": size,
        "parameters": sum(one.numel() for one in network.parameters()),
    }
    try:
        places = _places(network)
        layers = list(dict.fromkeys([*model.layers, *places]))
        together = model.extract(pictures, layers)
        alone = model.replaced(batch_size=1).extract(pictures, layers)
    except UserError as error:
        return found | {"refused": str(error)}
    _, batch = next(model._batches(pictures, "none"))
    return found | {
        "layers": len(layers),
        "names": len(model.every_layer()),
        "batched_minus_single": max(_apart(alone[one].values, together[one].values) for one in layers),
        "intermediates": _intermediates(network, model, together, places, batch),
    }


def _apart(one, other):
    return float(np.abs(one - other).max() / max(np.abs(one).max(), 1e-12))


def _places(network):
    """The modules that timm names for its own intermediates, where each is another."""
    info = getattr(network, "feature_info", None)
    if not hasattr(network, "forward_intermediates") or not isinstance(info, list):
        return []
    places = [one["module"] for one in info]
    return places if len(set(places)) == len(places) else []


def _intermediates(network, model, found, places, batch):
    """Of each module that timm names, how far what was read of it is from what timm gives for it."""
    if not places:
        return {}
    with torch.no_grad():
        given = network.forward_intermediates(batch, intermediates_only=True)
    shapes = model.shapes(places)
    return {
        place: _best(found[place].values.reshape(len(batch), *shapes[place]), one.numpy())
        for place, one in zip(places, given, strict=True)
    }


def _best(read, given):
    """As feature map, as feature map with channels last, or as tokens after those that stand for no patch."""
    if read.shape == given.shape:
        return _apart(given, read)
    if read.ndim == 4 and read.shape[3] == given.shape[1]:
        return _apart(given, read.transpose(0, 3, 1, 2))
    tokens = given.reshape(*given.shape[:2], -1).transpose(0, 2, 1)
    if read.ndim == 3 and read.shape[2] == tokens.shape[2] and read.shape[1] >= tokens.shape[1]:
        return _apart(tokens, read[:, -tokens.shape[1] :])
    return float("inf")


def _pictures(folder):
    from brodmann.brain_data.stimulus_set import StimulusSet

    generator = np.random.default_rng(0)
    paths = {f"p{i}": Path(folder) / f"p{i}.png" for i in range(3)}
    for path in paths.values():
        Image.fromarray(generator.integers(0, 256, (80, 90, 3), dtype=np.uint8)).save(path)
    made = StimulusSet({"stimulus_id": list(paths)})
    made.stimulus_paths = paths
    return made


def page(rows, text):
    """The page with its section of timm anew."""
    lines = [
        "| timm architecture | module | pixels | layers read (of names) | equal to `forward_intermediates` | batched - "
        "single | ",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines[0] = lines[0].strip()
    for one in rows:
        changed = ", ".join(f"{key}={value}" for key, value in one["settings"].items() if key != "img_size")
        first = f"`{one['name']}`{f' ({changed})' if changed else ''}"
        if "refused" in one:
            lines.append(f"| {first} | {one['kind']} | {one['pixels']} | refused: {one['refused']} | | |")
            continue
        equal = [share < 1e-5 for share in one["intermediates"].values()]
        said = f"{sum(equal)} of {len(equal)}" if equal else "timm names no modules"
        lines.append(
            f"| {first} | {one['kind']} | {one['pixels']} | {one['layers']} ({one['names']}) | {said} | "
            f"{one['batched_minus_single']:.0e} |"
        )
    before, _, rest = text.partition(START)
    after = rest.partition(END)[2] if rest else "\n"
    return "\n".join([before + START, "", *lines, "", END]) + after


def main():
    """Print the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--page", type=Path)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float threshold) -> Tensor")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BRODMANN_HOME"] = folder
        pictures = _pictures(folder)
        said = json.dumps([row(name, settings, pictures) for name, settings in ARCHITECTURES.items()])
    if asked.page:
        asked.page.write_text(page(json.loads(said), asked.page.read_text()))
    print(said)


if __name__ == "__main__":
    main()
