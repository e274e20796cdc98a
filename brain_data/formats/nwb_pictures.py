"""Pictures that stand inside an NWB file as templates of stimuli."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

import numpy as np
import numpy.typing as npt

from ...bounded import require_for
from ..imported import Computed
from .nwb_file import array, children, kind_of, member, text, whole

_TEMPLATES = "stimulus/templates"
_KINDS = ("GrayscaleImage", "RGBImage", "RGBAImage", "Image")
_MOST_PIXELS = 1 << 26


class Folder:
    """A folder that is gone when nobody holds this any more."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="brodmann-pictures-"))
        finalize(self, rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class Pictures:
    """Pictures as files.

    Attributes
    ----------
    paths : mapping of str to Path
        Stimulus id -> file.
    folder : Folder or None
        Where the files are, as long as it is held.
    """

    paths: Mapping[str, Path] = field(default_factory=dict)
    folder: Folder | None = None

    def kept_with(self, values: Computed) -> Computed:
        """The same responses, which hold the files for as long as they are held themselves."""
        if self.folder is None:
            return values

        def get(rows: slice, neuroids: slice, _holds: object = self.folder) -> npt.NDArray[Any]:
            return values.get(rows, neuroids)

        return replace(values, get=get)


def pictures_of(path: Path, file: Any, ids: list[str], events: str, said: list[str]) -> Pictures:
    """The pictures of stimuli, by their names or by their numbers from 0.

    Taken from what a series of numbers points at, else from the template with the name of the table of presentations,
    else from the only one that names a stimulus. Rows of an array are lines of the picture.
    """
    stem = events.rpartition("/")[2].removesuffix("_presentations")
    group = member(file, events)
    pointed = None
    for name in ("indexed_images", "indexed_timeseries"):
        pointed = pointed if pointed is not None or group is None else member(group, name)
    templates = {}
    for name in children(member(file, _TEMPLATES)):
        one = member(file, f"{_TEMPLATES}/{name}")
        found = _template(one, ids, by_number=name == stem or one == pointed)
        if found and pointed in (None, one):
            templates[name] = found
    if stem in templates:
        templates = {stem: templates[stem]}
    if len(templates) > 1:
        said.append(
            f"pictures stand in the templates {', '.join(templates)}, and which is not clear: none is taken"
        )
    if len(templates) != 1:
        return Pictures()
    ((name, readers),) = templates.items()
    folder = Folder()
    paths = {}
    for number, (one, read) in enumerate(readers.items()):
        pixels = _pixels(read(), path)
        if pixels is not None:
            paths[one] = folder.path / f"{number:05d}_{re.sub(r'[^A-Za-z0-9._-]+', '-', one)[:80]}.png"
            _write(paths[one], pixels)
    said.append(f"{len(paths)} pictures of the template {name}")
    return Pictures(paths, folder) if paths else Pictures()


def _template(group: Any, ids: list[str], *, by_number: bool) -> dict[str, Callable[[], Any]]:
    """How to read the picture of each stimulus that a template knows."""
    if group is None or hasattr(group, "shape"):
        return {}
    data = array(group, "data")
    if data is None:
        names = [name for name in children(group) if kind_of(member(group, name)) in _KINDS]
        order = array(group, "order_of_images")
        if by_number and order is not None:
            in_order = [group.file[one].name.rpartition("/")[2] for one in order[()]]
            return _numbered([partial(array, group, name) for name in in_order], ids)
        return _by_name({name: partial(array, group, name) for name in names}, ids)
    if data.ndim not in (3, 4):
        return {}
    frames = [partial(_Frame, data, i) for i in range(data.shape[0])]
    described = array(group, "control_description")
    if described is not None and described.shape == data.shape[:1]:
        return _by_name(dict(zip(map(text, whole(described)), frames, strict=True)), ids)
    return _numbered(frames, ids) if by_number else {}


def _numbered(readers: Sequence[Callable[[], Any]], ids: list[str]) -> dict[str, Callable[[], Any]]:
    numbers = {one: int(one) for one in ids if re.fullmatch(r"\d{1,9}", one)}
    return {one: readers[i] for one, i in numbers.items() if i < len(readers)}


@dataclass(frozen=True)
class _Frame:
    """One picture of a stack."""

    data: Any
    number: int

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.data.shape[1:])

    def __getitem__(self, key: tuple[()]) -> Any:
        return self.data[self.number]


def _by_name(readers: Mapping[str, Callable[[], Any]], ids: list[str]) -> dict[str, Callable[[], Any]]:
    """By the whole name, else by the name without its ending on either side."""
    stems: dict[str, list[str]] = {}
    for name in readers:
        stems.setdefault(_stem(name), []).append(name)
    found = {}
    for one in ids:
        names = [one] if one in readers else stems.get(_stem(one), [])
        if len(names) == 1:
            found[one] = readers[names[0]]
    return found


def _stem(name: str) -> str:
    return re.sub(r"\.(png|jpe?g|tiff?|bmp|gif|webp)$", "", name, flags=re.IGNORECASE)


def _pixels(stored: Any, path: Path) -> npt.NDArray[np.uint8] | None:
    """8-bit pixels, (line, column) or (line, column, channel); None for what is no picture."""
    shape = tuple(stored.shape)
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3, 4)) or not all(shape):
        return None
    if shape[0] * shape[1] > _MOST_PIXELS:
        return None
    require_for(path, 16 * int(np.prod(shape)))
    values = np.asarray(stored[()])
    if len(shape) == 3 and shape[2] == 1:
        values = values[:, :, 0]
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "fiub" or not np.isfinite(values).all() or values.min() < 0:
        return None
    highest = values.max()
    if values.dtype.kind in "fb" and highest <= 1:
        values = values * 255.0
    elif highest > 255:
        return None
    rounded: npt.NDArray[np.uint8] = np.round(values).astype(np.uint8)
    return rounded


def _write(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path)
