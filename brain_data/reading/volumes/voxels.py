"""The voxels of a mask as neuroids: their names, indices and places in mm."""

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError
from ...imported import ReadOptions
from .images import Image
from .masked import Masked, mask_voxels

RESAMPLE = "--resample nearest takes each voxel's nearest"
VOXEL_COLUMNS = ("i", "j", "k")


def voxels_of_mask(
    mask: Image | None, first: Image, options: ReadOptions
) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Voxel indices (n, 3) of a mask on the grid of an image, taken to it where ``--resample`` says so."""
    if mask is None:
        return mask_voxels(None, first.grid), ["no mask: all voxels that vary"]
    voxels = mask_voxels(mask, first.grid)
    said = [f"mask: {mask.path.name}, {len(voxels)} voxels"]
    if options.resample is None:
        return voxels, said
    everywhere = mask_voxels(None, first.grid)
    places = np.rint(mask.grid.voxels(first.grid.places(everywhere))).astype(np.intp)
    inside = np.zeros(mask.grid.shape, bool)
    inside[tuple(voxels.T)] = True
    held = ((places >= 0) & (places < mask.grid.shape)).all(axis=1)
    held[held] = inside[tuple(places[held].T)]
    if not held.any():
        raise UserError(f"{mask.path.name} holds no voxel of {first.path.name}: are they of one space?")
    return everywhere[held], [
        *said,
        f"mask taken to the grid of {first.path.name}: the nearest voxel, by their mm",
    ]


def neuroids_of(masked: Masked, columns: pd.DataFrame, subject: str, like: Image) -> pd.DataFrame:
    """One row a voxel: its name and indices, its position in mm, what atlases say of it."""
    places = like.grid.places(masked.voxels)
    names = ["-".join(map(str, one)) for one in masked.voxels.tolist()]
    table = pd.DataFrame({"neuroid_id": [f"{subject}-{one}" if subject else one for one in names]})
    for place, axis in enumerate("xyz"):
        table[axis] = places[:, place]
    for place, axis in enumerate(VOXEL_COLUMNS):
        table[axis] = masked.voxels[:, place]
    if subject:
        table["subject"] = subject
    return pd.concat([table, columns.drop(columns=[one for one in table if one in columns])], axis=1)


def space_of(like: Image, options: ReadOptions) -> tuple[str, str]:
    """The space of the positions, and a line on it."""
    named = re.search(r"_space-([A-Za-z0-9]+)", like.path.name)
    if options.space is not None:
        return options.space, f"positions in mm of {options.space}, as was said"
    if named is not None:
        return named[1], f"positions in mm of {named[1]}, by the file's name"
    if like.space:
        return like.space, f"positions in mm of {like.space}, by the header"
    if not like.placed:
        return "", "positions in mm of the grid itself: the header does not say where it lies"
    return "", "positions in mm of the scanner or the person: --space names a standard space, if it is one"
