"""All block outputs of a ResNet-18 over pictures: brodmann, the bare forward pass with decoding, thingsvision."""

import importlib.util
import os
import shutil
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import DEVICE, Work, compare
from PIL import Image

from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import ImagePreprocessing, VisionModel
from brodmann.models.architectures.resnet import BasicBlock, ResNet

pytestmark = pytest.mark.perf
N_IMAGES = int(os.environ.get("BRODMANN_PERF_IMAGES", "2000"))
BATCH = 32
BLOCKS = [f"layer{group}.{block}" for group in (1, 2, 3, 4) for block in (0, 1)]
PREPROCESS = ImagePreprocessing(224, resize=256)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """JPEGs of 320 x 256 pixels with some structure, so that decoding costs what it costs."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for i in range(N_IMAGES):
        coarse = Image.fromarray(generator.integers(0, 256, (16, 20, 3), dtype=np.uint8))
        coarse.resize((320, 256), Image.Resampling.BICUBIC).save(folder / f"{i:05d}.jpg", quality=90)
    return folder


def network():
    torch.manual_seed(0)
    return ResNet(BasicBlock, (2, 2, 2, 2)).eval().to(DEVICE)


def stimuli(folder):
    paths = {path.stem: path for path in sorted(folder.glob("*.jpg"))}
    made = StimulusSet({"stimulus_id": list(paths)})
    made.stimulus_paths = paths
    made.identifier = "pictures"
    return made


def ours(given):
    """Into the cache on disk, streamed; the first and last rows stand for the answer."""
    folder, module = given
    os.environ["BRODMANN_HOME"] = tempfile.mkdtemp(dir=scratch(folder))
    model = VisionModel(
        module, identifier="resnet18", preprocess=PREPROCESS, layers=BLOCKS, batch_size=BATCH, device=DEVICE
    )
    found = model.extract(stimuli(folder))
    return np.concatenate([np.asarray(found[name][[0, -1], :50]) for name in BLOCKS], axis=1)


def scratch(folder):
    """Where both sides write; emptied before every run, outside the time that is measured."""
    return folder.parent / f"{folder.name}-written"


def prepared(folder):
    shutil.rmtree(scratch(folder), ignore_errors=True)
    scratch(folder).mkdir()
    return folder, network()


def bare(given):
    """Decode, preprocess and run, one after the other, and keep nothing but two rows."""
    folder, module = given
    paths = sorted(folder.glob("*.jpg"))
    kept, rows = {}, []
    for name in BLOCKS:
        module.get_submodule(name).register_forward_hook(
            lambda _m, _i, output, name=name: kept.__setitem__(name, output)
        )
    with torch.inference_mode():
        for start in range(0, len(paths), BATCH):
            batch = torch.stack([_decoded(path) for path in paths[start : start + BATCH]])
            module(batch.to(DEVICE))
            ends = [i for i, path in enumerate(paths[start : start + BATCH]) if path in (paths[0], paths[-1])]
            if ends:
                rows.append(
                    np.concatenate([kept[name].flatten(1)[ends, :50].cpu() for name in BLOCKS], axis=1)
                )
    return np.concatenate(rows)


def _decoded(path):
    with Image.open(path) as image:
        return PREPROCESS(image.convert("RGB"))


def extractor_class():
    """thingsvision's own extractor, without the model zoo that its package imports at once."""
    if importlib.util.find_spec("torchvision") is not None:
        library = torch.library.Library("torchvision", "DEF")  # its wheel has no operators for this torch
        library.define("nms(Tensor dets, Tensor scores, float threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float threshold) -> Tensor")
    found = importlib.util.find_spec("thingsvision")
    if found is None:
        pytest.skip(
            "thingsvision is not installed (pip install --no-deps thingsvision torchvision torchtyping)"
        )
    root = found.submodule_search_locations[0]
    for name in ("thingsvision", "thingsvision.core", "thingsvision.core.extraction", "thingsvision.utils"):
        module = types.ModuleType(name)
        module.__path__ = [root + name.removeprefix("thingsvision").replace(".", "/")]
        sys.modules[name] = module
    from thingsvision.core.extraction.torch import PyTorchExtractor

    return PyTorchExtractor, library


def thingsvision(given):
    """Its extract_features with every block at once, written to disk every eight batches."""
    folder, module = given
    make, _library = extractor_class()
    paths = sorted(folder.glob("*.jpg"))

    class Images(torch.utils.data.Dataset):
        def __len__(self):
            return len(paths)

        def __getitem__(self, index):
            return _decoded(paths[index])

    loader = torch.utils.data.DataLoader(Images(), BATCH)
    out = Path(tempfile.mkdtemp(dir=scratch(folder)))
    made = make("resnet18", False, DEVICE, model=module, preprocess=PREPROCESS)
    made.extract_features(loader, module_names=BLOCKS, flatten_acts=True, output_dir=str(out), step_size=8)
    rows = []
    for name in BLOCKS:
        parts = sorted((out / name).glob("*.npy"), key=_first_number)
        rows.append(np.stack([np.load(parts[0])[0, :50], np.load(parts[-1])[-1, :50]]))
    return np.concatenate(rows, axis=1)


def _first_number(path):
    return int(path.stem.split("_")[-1].split("-")[0])


def test_against_the_bare_forward_pass_and_decoding(pictures, table):
    row = compare(
        Work(
            f"8 block outputs of a ResNet-18, {N_IMAGES} pictures, to disk",
            "bare forward pass and decoding, kept nowhere",
            make=lambda: prepared(pictures),
            ours=ours,
            peer=bare,
            goal=1 / 1.10,
        )
    )
    table(row)
    assert row.difference < 1e-3


def test_against_thingsvision(pictures, table):
    pytest.importorskip("torchtyping", reason="thingsvision needs it")
    row = compare(
        Work(
            f"8 block outputs of a ResNet-18, {N_IMAGES} pictures, to disk",
            "thingsvision 2.7, to disk",
            make=lambda: prepared(pictures),
            ours=ours,
            peer=thingsvision,
            goal=1.0,
        )
    )
    table(row)
    assert row.difference < 1e-3


def test_memory_is_flat_in_the_number_of_pictures(pictures, table, tmp_path):
    """Peak above the start for an eighth of the pictures (four batches at least) and for all of them."""
    from harness import alone

    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(pictures.glob("*.jpg"))[: max(4 * BATCH, N_IMAGES // 8)]:
        (few / path.name).symlink_to(path)
    peaks = {
        len(list(f.glob("*.jpg"))): alone(lambda f=f: prepared(f), ours).extra_bytes for f in (few, pictures)
    }
    table.remark(
        "memory above the network while extracting: "
        + ", ".join(f"{peak / 2**20:.0f} MiB for {n} pictures" for n, peak in peaks.items())
    )
    small, large = peaks.values()
    assert large < small + 200 * 2**20
