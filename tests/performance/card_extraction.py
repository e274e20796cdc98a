"""All blocks of a ResNet-50 over pictures, on a card: to memory and pooled, beside what bounds them.

``measure()`` gives images a second of the bare forward pass, of decoding, of the bus, and of brodmann, each as a share
of its bound; ``python card_extraction.py`` prints it. Without a card a small network and few pictures go through the
same functions on the processor, which shows that they run and nothing else.
"""

import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.device import card_name
from brodmann.models import ImagePreprocessing, Readout, VisionModel
from brodmann.models.architectures.resnet import BasicBlock, Bottleneck, ResNet
from brodmann.models.extraction import decoders
from brodmann.models.extraction.decoding import Picture, decoded

PREPROCESS = ImagePreprocessing(224, resize=256)
SMALL = ImagePreprocessing(32, resize=36)


def measure(device=None, n_images=None, batch=256, *, small=None):
    """Every figure as a dictionary that JSON can write.

    `n_images` for the pooled layers; as many as 32 GiB hold, at most that, for all of them in memory. `small` on a
    processor by default.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    small = device == "cpu" if small is None else small
    n_images, batch = n_images or (48 if small else 16_384), 16 if small else batch
    preprocess = SMALL if small else PREPROCESS
    module = network(small).to(device)
    with tempfile.TemporaryDirectory() as folder:
        stimuli = drawn(Path(folder), n_images, (40, 32) if small else (320, 256))
        pooled = model(module, device, batch, preprocess, Readout(pool="mean"))
        shown = torch.stack([preprocess(one) for one in opened(stimuli, batch)]).to(device)
        a_picture = 4 * sum(pooled.sizes(stimuli, readout=Readout()).values())
        n_whole = min(n_images, max(batch, int(32 * 2**30 // a_picture) // batch * batch))
        found = {
            "device": card_name(device) or device,
            "layers": len(pooled.layers),
            "MiB a picture": round(a_picture / 2**20, 2),
            "forward images/s": forward_rate(module, shown),
            "forward, half and channels last, images/s": forward_rate(module, shown, half=True),
            "decode images/s": decode_rate(stimuli, preprocess),
            "bus GB/s": bus_rate(device),
        }
        found["bus images/s"] = round(found["bus GB/s"] * 1e9 / a_picture, 1)
        few = stimuli_of(stimuli, n_whole)
        whole = rate(model(module, device, batch, preprocess, Readout()), few)
        found |= {"all units to memory images/s": whole, "pooled images/s": rate(pooled, stimuli)}
        limits = [found[name] for name in ("forward images/s", "decode images/s")]
        found["all units of the bound"] = round(whole / min(*limits, found["bus images/s"]), 3)
        found["pooled of the bound"] = round(found["pooled images/s"] / min(limits), 3)
        half = Readout(pool="mean", half=True, channels_last=True)
        found["pooled, half and channels last, images/s"] = rate(
            model(module, device, batch, preprocess, half), stimuli
        )
        found |= projection_rates(model(module, device, batch, preprocess, Readout(project=1000)), few)
        found["gram images/s"] = gram_rate(model(module, device, batch, preprocess, Readout()), few)
    return found


def network(small=False):
    torch.manual_seed(0)
    made = (
        ResNet(BasicBlock, (1, 1, 1, 1), widths=(8, 16, 16, 32))
        if small
        else ResNet(Bottleneck, (3, 4, 6, 3))
    )
    return made.eval()


def model(module, device, batch, preprocess, readout):
    blocks = [name for name, one in module.named_modules() if isinstance(one, BasicBlock | Bottleneck)]
    return VisionModel(
        module, identifier="resnet", preprocess=preprocess, layers=blocks, batch_size=batch, device=device,
        cache=False, readout=readout,
    )  # fmt: skip


def drawn(folder, n_images, size):
    """JPEGs with some structure, so that decoding costs what it costs; a few hundred, shown again and again."""
    generator = np.random.default_rng(0)
    for i in range(min(n_images, 500)):
        coarse = Image.fromarray(generator.integers(0, 256, (16, 20, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{i:05d}.jpg", quality=90)
    files = sorted(folder.glob("*.jpg"))
    names = [f"p{i}" for i in range(n_images)]
    made = StimulusSet({"stimulus_id": names})
    made.stimulus_paths = {name: files[i % len(files)] for i, name in enumerate(names)}
    made.identifier = "pictures"
    return made


def stimuli_of(stimuli, n):
    few = stimuli.iloc[:n]
    few.stimulus_paths, few.identifier = stimuli.stimulus_paths, "pictures"
    return few


def opened(stimuli, n):
    for name in stimuli["stimulus_id"][:n]:
        with Image.open(stimuli.stimulus_paths[name]) as image:
            yield image.convert("RGB")


def seconds(work, device):
    """Of one run after a warm one."""
    work()
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - began


def wait(device):
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def forward_rate(module, shown, half=False):
    passes = 1 if shown.device.type == "cpu" else 20
    shown = shown.contiguous(memory_format=torch.channels_last) if half else shown
    kind = torch.float16 if shown.device.type == "cuda" else torch.bfloat16

    def run():
        with torch.inference_mode(), torch.autocast(shown.device.type, kind, enabled=half):
            for _ in range(passes):
                module(shown)

    return round(passes * len(shown) / seconds(run, shown.device), 1)


def decode_rate(stimuli, preprocess):
    """By the way that extraction takes for as many pictures."""
    asked = [Picture(stimuli.stimulus_paths[one], one, "black") for one in stimuli["stimulus_id"]]
    if not decoders.are_worth(len(asked), preprocess):
        began = time.perf_counter()
        for one in asked:
            decoded(one, preprocess, "resnet")
        return round(len(asked) / (time.perf_counter() - began), 1)
    with decoders.Decoders(preprocess, "resnet") as workers:
        began = time.perf_counter()
        waiting = [workers.submit(one) for one in asked[:512]]
        for one in asked[512:]:
            waiting.append(workers.submit(one))
            waiting.pop(0).result()
        for one in waiting:
            one.result()
        return round(len(asked) / (time.perf_counter() - began), 1)


def bus_rate(device):
    """Device to pinned host memory, 1 GiB at a time."""
    if device == "cpu":
        source, place = torch.zeros(1 << 26, dtype=torch.uint8), torch.zeros(1 << 26, dtype=torch.uint8)
    else:
        source = torch.zeros(1 << 30, dtype=torch.uint8, device=device)
        place = torch.empty(1 << 30, dtype=torch.uint8, pin_memory=True)
    return round(source.nbytes / seconds(lambda: place.copy_(source, non_blocking=True), device) / 1e9, 2)


def rate(view, stimuli):
    """Pictures a second from files to arrays, everything in it but the first batch's loading of kernels."""
    view.extract(stimuli_of(stimuli, view.batch_size))
    began = time.perf_counter()
    view.extract(stimuli)
    return round(len(stimuli) / (time.perf_counter() - began), 1)


def projection_rates(view, stimuli):
    """With the matrices to be made, and with them there."""
    found = {}
    for when in ("first", "again"):
        began = time.perf_counter()
        view.extract(stimuli)
        found[f"projected to 1000, {when}, images/s"] = round(len(stimuli) / (time.perf_counter() - began), 1)
    return found


def gram_rate(view, stimuli):
    began = time.perf_counter()
    view.gram(stimuli, view.layers[-3:])
    return round(len(stimuli) / (time.perf_counter() - began), 1)


if __name__ == "__main__":
    os.environ.setdefault("BRODMANN_HOME", tempfile.mkdtemp())
    print(json.dumps(measure(), indent=1))
