"""The places of the Natural Scenes Dataset: masks, atlases with the names of their numbers, noise ceilings."""

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ..published_recording import chosen
from ..read_options import ReadOptions
from .arrays import MadeFiles, from_image, in_mm, opened_image
from .nsd_betas import trial_shape

ENDINGS = (".nii.gz", ".mgz", ".mgh")


@dataclass(frozen=True)
class Place:
    """Where one person's betas of a space lie, and what else there is of it."""

    root: Path
    subject: str
    space: str
    betas: Path

    @property
    def on_surface(self) -> bool:
        """Whether its places are vertices of two hemispheres."""
        return not self.space.startswith("func")

    @property
    def regions(self) -> Path:
        """The folder of its masks and atlases."""
        if not self.on_surface:
            return self.root / "nsddata" / "ppdata" / self.subject / self.space / "roi"
        owner = self.subject if self.space == "nativesurface" else self.space
        return self.root / "nsddata" / "freesurfer" / owner / "label"

    @property
    def names(self) -> Path:
        """The folder of the names of their numbers."""
        return self.root / "nsddata" / "freesurfer" / self.subject / "label"


class Atlases:
    """The masks and atlases of a space, each as whole numbers of every place."""

    def __init__(self, place: Place, shape: tuple[int, ...]) -> None:
        self.place, self.shape = place, shape
        paths = sorted(place.regions.iterdir()) if place.regions.is_dir() else []
        named = [
            (path.name.removesuffix(end), path)
            for path in paths
            for end in ENDINGS
            if path.name.endswith(end)
        ]
        if place.on_surface:
            both = {name[3:] for name, _ in named if name.startswith("lh.")}
            named = [(name[3:], path) for name, path in named if name[3:] in both and name.startswith("lh.")]
        self.paths = dict(named)
        self._read: dict[str, npt.NDArray[np.int64]] = {}

    def numbers(self, name: str) -> npt.NDArray[np.int64]:
        """What an atlas says of each place, in C order."""
        if name not in self._read:
            path = self.paths[name]
            both = [path, path.with_name(f"rh{path.name[2:]}")] if self.place.on_surface else [path]
            parts = [from_image(opened_image(one)) for one in both]
            shape = parts[0].shape if len(parts) == 1 else (sum(part.size for part in parts),)
            if tuple(shape) != self.shape:
                raise UserError(
                    f"{path} has shape {tuple(shape)}, the betas have {self.shape}: another space"
                )
            flat = np.concatenate([part.ravel() for part in parts])
            self._read[name] = np.nan_to_num(flat, nan=-1).round().astype(np.int64)
        return self._read[name]

    def labels(self, name: str) -> dict[int, str]:
        """Number -> label, of the color table where there is one; a mask is its own label."""
        table = self.place.names / f"{name.removeprefix('lh.').removeprefix('rh.')}.mgz.ctab"
        if not table.is_file():
            found = np.unique(self.numbers(name))
            above = found[found > 0].tolist()
            return {1: name} if above == [1] else {one: f"{name}-{one}" for one in above}
        labels = {}
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            matched = re.match(r"\s*(\d+)\s+(\S+)", line)
            if matched and int(matched[1]) > 0:
                labels[int(matched[1])] = matched[2]
        return labels

    def find(self, wanted: str) -> tuple[str, list[int], list[str]]:
        """The atlas, numbers and labels of a region by the name of its file, or of one label."""
        if wanted in self.paths:
            labels = self.labels(wanted)
            return wanted, list(labels), list(labels.values())
        whole = [name for name in self.paths if not name.startswith(("lh.", "rh."))]
        found = [
            (name, number) for name in whole for number, label in self.labels(name).items() if label == wanted
        ]
        if not found:
            known = [
                *whole,
                *(label for name in whole for label in self.labels(name).values() if label != name),
            ]
            chosen("region", [wanted], known, "region")
        if len(found) > 1:
            listed = ", ".join(name for name, _ in found)
            raise UserError(f"region {wanted!r} is in {listed}: say which of these files by --region")
        return found[0][0], [found[0][1]], [wanted]


def neuroids_of(
    place: Place, atlases: Atlases, options: ReadOptions, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], pd.DataFrame, str]:
    """The places that are taken, in C order, their table, and how they were chosen."""
    region, how = np.full(prod(shape), "", object), ""
    if options.mask is not None:
        region[_masked(place, options.mask, shape)] = options.region or "brain"
        how = f"the mask {options.mask}"
    else:
        wanted = options.names("region")
        if wanted is None and "nsdgeneral" not in atlases.paths:
            raise UserError(
                f"{place.regions} has no nsdgeneral: say the region by --region "
                f"({', '.join(list(atlases.paths)[:8]) or 'there is none'}), or --mask brain"
            )
        for name in wanted or ["nsdgeneral"]:
            atlas, numbers, labels = atlases.find(name)
            for number, label in zip(numbers, labels, strict=True):
                region[(atlases.numbers(atlas) == number) & (region == "")] = label
        how = f"region {', '.join(wanted or ['nsdgeneral'])}" + ("" if wanted else " (the default)")
    flat = np.flatnonzero(region != "")
    if not len(flat):
        raise UserError(f"{how} takes no place of {place.regions}")
    table = _table(place, flat, shape).assign(region=region[flat], subject=place.subject)
    for name in atlases.paths:
        if not name.startswith(("lh.", "rh.")) and name in ("nsdgeneral", "prf-visualrois", "streams"):
            labels_of = atlases.labels(name)
            table[name] = [labels_of.get(int(one), "none") for one in atlases.numbers(name)[flat]]
    return flat, table, how


def _masked(place: Place, mask: str, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    path = Path(mask).expanduser()
    if mask == "brain":
        path = place.regions.parent / "brainmask.nii.gz"
    if not path.is_file():
        raise UserError(f"no mask at {path}")
    image = opened_image(path)
    if tuple(image.shape) != shape:
        raise UserError(f"{path} has shape {tuple(image.shape)}, the betas have {shape}: another space")
    return np.asarray(from_image(image)).ravel() > 0


def _table(place: Place, flat: npt.NDArray[np.int64], shape: tuple[int, ...]) -> pd.DataFrame:
    if len(shape) == 1:
        n_left = trial_shape(next(iter(sorted(place.betas.glob("lh.betas_session*")))), 1)[0]
        left = flat < n_left
        vertex = np.where(left, flat, flat - n_left)
        names = [f"{'lh' if one else 'rh'}-{number}" for one, number in zip(left, vertex, strict=True)]
        return pd.DataFrame({"neuroid_id": names, "hemisphere": np.where(left, "L", "R"), "vertex": vertex})
    i, j, k = (one.tolist() for one in np.unravel_index(flat, shape))
    table = pd.DataFrame({"neuroid_id": [f"{a}-{b}-{c}" for a, b, c in zip(i, j, k, strict=True)]})
    beside = sorted(place.regions.glob("*.nii.gz"))
    if beside:
        at = in_mm(opened_image(beside[0]).affine, np.stack(np.unravel_index(flat, shape), axis=1))
        for axis, column in zip("xyz", at.T, strict=True):
            table[axis] = column
    return table


def mask_image(flat: npt.NDArray[np.int64], shape: tuple[int, ...], affine: Any) -> MadeFiles:
    """The places that are taken as an image of 0 and 1, in whose C order they are."""

    def make(_key: str, path: Path) -> None:
        values = np.zeros(prod(shape), np.uint8)
        values[flat] = 1
        nibabel.save(nibabel.Nifti1Image(values.reshape(shape), affine), path)  # type: ignore[no-untyped-call]

    return MadeFiles({"mask": "mask.nii.gz"}, make)


def with_ncsnr(
    table: pd.DataFrame, betas: Path, place: Place, flat: npt.NDArray[np.int64], shape: tuple[int, ...]
) -> tuple[pd.DataFrame, str]:
    """The noise ceiling's signal-to-noise ratio of each place, which lies beside the betas."""
    names = ["lh.ncsnr", "rh.ncsnr"] if place.on_surface else ["ncsnr"]
    found = [betas.parent / f"{name}{end}" for name in names for end in ENDINGS]
    found = [path for path in found if path.is_file()]
    if len(found) != len(names):
        return table, f"no {' and '.join(names)} beside the betas: no noise ceiling of the authors"
    parts = [np.asarray(from_image(opened_image(path)), np.float32).ravel() for path in found]
    values = np.concatenate(parts)
    if values.size != prod(shape):
        raise UserError(f"{found[0]} has {values.size} places, the betas have {prod(shape)}: another space")
    return table.assign(ncsnr=values[flat]), "ncsnr of the authors, of single trials"
