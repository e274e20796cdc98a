"""The command that writes scores of voxels as images of the brain."""

from pathlib import Path
from typing import Annotated

import typer

from .common import Json, print_json, say


def export_map(
    record: Annotated[
        Path, typer.Argument(help="The record of a score, a .json of a run.", metavar="RECORD")
    ],
    to: Annotated[
        Path, typer.Option(help="The image, .nii or .nii.gz; ceilings go beside it.", metavar="FILE")
    ],
    subject: Annotated[str | None, typer.Option(help="Whose voxels, of several subjects.")] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="An image whose voxels the neuroids are; the data set's own by default.", metavar="FILE"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the score and the ceiling of each voxel as NIfTI images, in the space of the recording's mask.

    For example:  brodmann export-map RECORD.json --to scores.nii.gz
    """
    from ...brain_data.catalogue import load_dataset
    from ..reports.brain_maps import record_at, scores_to_nifti

    held = record_at(record)
    paths = scores_to_nifti(held, load_dataset(held["dataset"]), to, subject=subject, mask=mask)
    if as_json:
        print_json({"scores": str(paths[0]), "ceilings": str(paths[1]) if len(paths) > 1 else None})
        return
    for label, path in zip(("scores", "ceilings"), paths, strict=False):
        say(f"{label:<10}{path}")
