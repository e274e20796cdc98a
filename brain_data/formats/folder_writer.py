"""Write a data set as a folder in the layout of one's own recordings."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ...errors import UserError
from ...files import whole_folder, write_bytes
from ..dataset import Dataset
from .base import COORDINATES, FORMATS, NEUROID, PRESENTATION

DESCRIPTION = "dataset.toml"


def save_folder(dataset: Dataset, folder: Path, *, file_format: str = "npz") -> None:
    """Write a data set in the layout that :func:`brodmann.brain_data.formats.folder.load_folder` reads.

    Parameters
    ----------
    dataset : Dataset
        With responses; RDMs alone have no place in this layout.
    folder : Path
        Made anew; one that was saved before is replaced.
    file_format : str
        A name of ``FORMATS``, for the responses.

    Raises
    ------
    UserError
        For RDMs, for a folder that holds something else, or for a coordinate that has no place in the layout.
    """
    if dataset.responses is None:
        raise UserError(f"{dataset.identifier} holds RDMs alone: only responses can be written as a folder")
    if folder.exists() and not (folder / "stimuli.csv").exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty and holds no saved data set: give a new folder")
    responses = FORMATS[file_format]
    paths = getattr(dataset.stimuli, "stimulus_paths", None) or {}
    table = _with_labels(dataset)
    neuroids = {
        str(name): values.values
        for name, values in dataset.responses.coords.items()
        if values.dims == ("neuroid",) and name not in set(NEUROID) & set(responses.holds)
    }
    with whole_folder(folder) as temporary:
        if paths:
            (temporary / "stimuli").mkdir()
            names = [f"{i:05d}{Path(paths[one]).suffix}" for i, one in enumerate(table["stimulus_id"])]
            for one, name in zip(table["stimulus_id"], names, strict=True):
                shutil.copyfile(paths[one], temporary / "stimuli" / name)
            table = table.assign(filename=names)
        table.to_csv(temporary / "stimuli.csv", index=False)
        arrays = {"responses": dataset.responses.values}
        for coordinate in COORDINATES:
            if coordinate in dataset.responses.coords and coordinate not in neuroids:
                values = dataset.responses[coordinate].values
                arrays[coordinate] = values.astype(str) if values.dtype == object else values
        responses.write(temporary / f"responses{responses.suffixes[0]}", arrays)
        if neuroids:
            named = {"neuroid_id": dataset.responses["neuroid_id"].values} | neuroids
            pd.DataFrame(named).to_csv(temporary / "neuroids.csv", index=False)
        write_bytes(temporary / DESCRIPTION, _description_of(dataset).encode())


def _with_labels(dataset: Dataset) -> pd.DataFrame:
    """The stimulus table, with the presentation coordinates that are labels of stimuli."""
    table = pd.DataFrame(dataset.stimuli)
    assert dataset.responses is not None
    shown = pd.Series(dataset.responses["stimulus_id"].values)
    for name, values in dataset.responses.coords.items():
        if values.dims != ("presentation",) or name in PRESENTATION or name in table.columns:
            continue
        label = pd.Series(values.values).groupby(shown)
        if (label.nunique(dropna=False) > 1).any():
            raise UserError(
                f"{dataset.identifier}: coordinate {name!r} differs between presentations of a stimulus, "
                "and the layout has no place for it: leave it out with responses.drop_vars"
            )
        table = table.assign(**{str(name): table["stimulus_id"].map(label.first())})
    return table


def _description_of(dataset: Dataset) -> str:
    said = {
        "modality": dataset.modality,
        "license": dataset.license,
        "bibtex": dataset.bibtex,
        "source": dataset.source,
        "units": dataset.units,
    }
    lines = [f"{key} = {quoted(value)}" for key, value in said.items() if value]
    lines.append(f"simulated = {str(dataset.simulated).lower()}")
    lines.append(f"has_stimuli = {str(dataset.has_stimuli).lower()}")
    return (
        "\n".join(
            [
                *lines,
                *ceiling_lines({region: vars(one) for region, one in dataset.published_ceilings.items()}),
            ]
        )
        + "\n"
    )


def ceiling_lines(ceilings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The tables of published ceilings, as TOML has them."""
    lines = []
    for region, published in ceilings.items():
        lines += [f"[published_ceilings.{quoted(region)}]", f"value = {float(published['value'])!r}"]
        lines.append(f"source = {quoted(str(published.get('source', '')))}")
    return lines


def quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are a part of TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
