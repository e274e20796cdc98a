"""Labelled pictures to train on: drawn by a seed, CIFAR's files, or a folder a class."""

import io
import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ...brain_data.stimuli.drawn_images import CATEGORIES, Nuisance, picture
from ...brain_data.stimuli.pictures import opened
from ...errors import UserError
from ...files import digest_of, home, remember
from ...progress import track

Bytes = npt.NDArray[np.uint8]
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff"}
_CIFAR_BYTES = 3072
_NOISE = 25.0
"""Standard deviation of the noise on drawn pictures, of 255 levels."""


@dataclass(frozen=True)
class LabeledImages:
    """Pictures of one size, and the class of each.

    Attributes
    ----------
    pixels : uint8 array of shape (n, size, size, 3)
    labels : int64 array of shape (n,)
    classes : tuple of str
    held_out : bool array of shape (n,)
        Which pictures are kept from training and only tested on.
    """

    pixels: Bytes
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    held_out: npt.NDArray[np.bool_]

    @property
    def digest(self) -> str:
        """sha256 over pictures, labels and the division."""
        return digest_of(
            self.pixels.tobytes(), self.labels.tobytes(), self.held_out.tobytes(), list(self.classes)
        )


def drawn_images(
    size: int = 32, *, n_images: int = 6000, n_held_out: int = 1000, seed: int = 0
) -> LabeledImages:
    """Pictures of faces, bodies, places, objects and words, drawn by a seed and kept on disk.

    Fainter, smaller, further from the centre and noisier than those of the simulated recordings: a task that a
    small network does not master at once.

    Parameters
    ----------
    size : int
        Height and width in pixels.
    n_images, n_held_out : int
        To train and to test on.
    seed : int
    """
    total = n_images + n_held_out
    path = home() / "training" / f"drawn-{size}-{total}-{seed}.npy"

    def make(temporary: Path) -> None:
        pixels = np.empty((total, size, size, 3), np.uint8)
        for i in track(range(total), "drawing pictures"):
            generator = np.random.default_rng([seed, i])
            image = picture(CATEGORIES[i % len(CATEGORIES)], _faint(generator), generator)
            small = np.asarray(image.resize((size, size), Image.Resampling.BOX), np.float32)
            noisy = small + generator.normal(0, _NOISE, small.shape)
            pixels[i] = np.clip(noisy, 0, 255).astype(np.uint8)
        with temporary.open("wb") as stream:
            np.save(stream, pixels, allow_pickle=False)

    pixels = np.load(remember(path, make), allow_pickle=False)
    labels = np.arange(total) % len(CATEGORIES)
    return LabeledImages(pixels, labels, CATEGORIES, np.arange(total) >= n_images)


def _faint(generator: np.random.Generator) -> Nuisance:
    x, y, tilt = generator.uniform((-0.4, -0.4, -0.8), (0.4, 0.4, 0.8))
    size, contrast = generator.uniform((0.3, 0.1), (0.7, 0.5))
    return Nuisance(float(x), float(y), float(size), float(tilt), float(contrast))


def image_folder(
    folder: Path, size: int = 32, *, share_held_out: float = 0.15, seed: int = 0
) -> LabeledImages:
    """Pictures from a folder of one's own.

    Three layouts: ``train/CLASS/*.jpg`` beside ``val/`` or ``test/`` (ImageNet's); ``CLASS/*.jpg`` alone, of which
    a share of each class is held out; the files of CIFAR-10 or CIFAR-100 (``data_batch_1`` or
    ``data_batch_1.bin``, ``test_batch``...), read without executing anything.

    Parameters
    ----------
    folder : Path
    size : int
        Pictures are cropped to their central square and resized to this.
    share_held_out : float
        Of each class, where the folder has no division of its own.
    seed : int
        Of that division.

    Raises
    ------
    UserError
        For a folder that has none of these layouts, fewer than two classes, or a picture that cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {folder}: --data takes a folder of pictures, one folder a class")
    cifar = _cifar_files(folder)
    if cifar:
        return _cifar(cifar, size)
    parts = [folder / "train", *(folder / name for name in ("val", "test"))]
    divided = [part for part in parts if part.is_dir()]
    if divided and divided[0].name == "train":
        found = [(path, name, part.name != "train") for part in divided[:2] for path, name in _classes(part)]
    else:
        found = [(path, name, False) for path, name in _classes(folder)]
    classes = tuple(sorted({name for _, name, _ in found}))
    if len(classes) < 2:
        raise UserError(
            f"{folder} holds pictures of {len(classes)} classes: expected a folder a class (CLASS/*.jpg), "
            "train/CLASS/*.jpg, or CIFAR's files"
        )
    _check_memory(len(found), size)
    pixels = np.stack([_square(path, size) for path, _, _ in track(found, "reading pictures")])
    labels = np.array([classes.index(name) for _, name, _ in found], np.int64)
    held_out = np.array([held for _, _, held in found])
    if not held_out.any():
        held_out = _some_of_each(labels, share_held_out, seed)
    return LabeledImages(pixels, labels, classes, held_out)


def _check_memory(n_images: int, size: int) -> None:
    """Pictures are held as bytes in memory; said before they are read."""
    needed = n_images * size * size * 3
    try:
        limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (ValueError, OSError, AttributeError):  # a system that does not say
        return
    if needed > limit:
        raise UserError(
            f"{n_images:,} pictures of {size} x {size} need {needed / 2**30:.1f} GiB, and half of this machine's "
            f"memory, {limit / 2**30:.1f} GiB, is allowed: lower --size, or train on part of the classes"
        )


def _classes(folder: Path) -> Iterator[tuple[Path, str]]:
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in sorted(inner.iterdir()):
            if path.suffix.lower() in _SUFFIXES:
                yield path, inner.name


def _square(path: Path, size: int) -> Bytes:
    with opened(path) as image:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.crop((left, top, left + side, top + side))
        return np.asarray(square.resize((size, size), Image.Resampling.BICUBIC))


def _some_of_each(labels: npt.NDArray[np.int64], share: float, seed: int) -> npt.NDArray[np.bool_]:
    generator = np.random.default_rng(seed)
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        held_out[members[: max(1, round(share * len(members)))]] = True
    return held_out


def _cifar_files(folder: Path) -> list[tuple[Path, bool]]:
    """CIFAR's files and whether each is for testing: the binary or the pickled version."""
    for inner in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        for ending in (".bin", ""):
            train = sorted(path for path in inner.glob(f"data_batch_[1-5]{ending}")) or [
                inner / f"train{ending}"
            ]
            test = next((inner / f"{name}{ending}" for name in ("test_batch", "test")), inner)
            test = test if test.is_file() else inner / f"test{ending}"
            if all(path.is_file() for path in (*train, test)):
                return [*((path, False) for path in train), (test, True)]
    return []


def _cifar(files: list[tuple[Path, bool]], size: int) -> LabeledImages:
    read = [_cifar_binary(path) if path.suffix == ".bin" else _cifar_pickle(path) for path, _ in files]
    pixels = np.concatenate([pixels for pixels, _ in read])
    labels = np.concatenate([labels for _, labels in read])
    held_out = np.concatenate(
        [np.full(len(one), test) for (_, one), (_, test) in zip(read, files, strict=True)]
    )
    pixels = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    if size != 32:
        resized = (Image.fromarray(one).resize((size, size), Image.Resampling.BICUBIC) for one in pixels)
        pixels = np.stack([np.asarray(one) for one in resized])
    names = _CIFAR10 if labels.max() < 10 else [f"class {i}" for i in range(int(labels.max()) + 1)]
    return LabeledImages(np.ascontiguousarray(pixels), labels, tuple(names), held_out)


_CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def _cifar_binary(path: Path) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """A record is one label (CIFAR-10) or two (CIFAR-100: coarse, fine), then 3 x 32 x 32 bytes."""
    content = np.fromfile(path, np.uint8)
    n_labels = 2 if path.name in ("train.bin", "test.bin") else 1
    if len(content) == 0 or len(content) % (_CIFAR_BYTES + n_labels):
        raise UserError(f"{path} has {len(content)} bytes, which is no whole number of CIFAR's records")
    records = content.reshape(-1, _CIFAR_BYTES + n_labels)
    return records[:, n_labels:], records[:, n_labels - 1].astype(np.int64)


def _cifar_pickle(path: Path) -> tuple[Bytes, npt.NDArray[np.int64]]:
    try:
        content = _PlainUnpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        labels = content.get(b"labels", content.get(b"fine_labels"))
        pixels = np.asarray(content[b"data"], np.uint8).reshape(-1, _CIFAR_BYTES)
        return pixels, np.asarray(labels, np.int64).reshape(len(pixels))
    except (
        pickle.UnpicklingError,
        EOFError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
    ) as error:
        raise UserError(f"{path} is not one of CIFAR's files, or damaged: {str(error)[:120]}") from error


class _PlainUnpickler(pickle.Unpickler):
    """Reads arrays and plain containers; whatever else a pickle names is refused, so nothing is executed."""

    _ALLOWED = (
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("_codecs", "encode"),
    )

    def find_class(self, module: str, name: str) -> Any:
        """The few constructors that an array needs."""
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}: refused")
        return super().find_class(module, name)
