"""The command that writes scores of voxels as images of the brain."""

from pathlib import Path
from typing import Annotated

import typer

from ...errors import UserError
from .common import Json, print_json, say

_ON_SURFACE = (".shape.gii", ".html")


def export_map(
    record: Annotated[
        Path, typer.Argument(help="The record of a score, a .json of a run.", metavar="RECORD")
    ],
    to: Annotated[
        Path,
        typer.Option(
            help="The image, .nii or .nii.gz, with ceilings beside it; a surface, .shape.gii, in a file a hemisphere; "
            "or a page that turns, .html.",
            metavar="FILE",
        ),
    ],
    subject: Annotated[str | None, typer.Option(help="Whose voxels, of several subjects.")] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="An image whose voxels the neuroids are; the data set's own by default.", metavar="FILE"
        ),
    ] = None,
    surface: Annotated[
        str | None,
        typer.Option(
            help="The mesh whose vertices the neuroids are; the data set's own by default.",
            metavar="L=FILE,R=FILE",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write scores as images of voxels in the space of the recording's mask, or on the surface of cortex.

    Vertices lie on the mesh of the recording, voxels in MNI space are projected to fsaverage5.

    For example:

      brodmann export-map RECORD.json --to scores.nii.gz

      brodmann export-map RECORD.json --to scores.html
    """
    from ...brain_data.catalogue import load_dataset
    from ..reports.brain_maps import record_at, scores_to_nifti
    from ..reports.cortex_pages import scores_on_cortex

    held = record_at(record)
    if to.name.endswith(_ON_SURFACE):
        if mask is not None:
            raise UserError("--mask is for images of voxels")
        written = scores_on_cortex(held, to, subject=subject, surface=surface)
        if as_json:
            print_json({"scores": [str(path) for path in written]})
            return
        for path in written:
            say(f"{'scores':<10}{path}")
        return
    if surface is not None:
        raise UserError("--surface is for .shape.gii and .html")
    paths = scores_to_nifti(held, load_dataset(held["dataset"]), to, subject=subject, mask=mask)
    if as_json:
        print_json({"scores": str(paths[0]), "ceilings": str(paths[1]) if len(paths) > 1 else None})
        return
    for label, path in zip(("scores", "ceilings"), paths, strict=False):
        say(f"{label:<10}{path}")
