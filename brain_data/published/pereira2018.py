"""Pereira 2018 as Brain-Score keeps it: one assembly with the sentences among its coordinates."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..card import DatasetCard
from ..formats.brainio import from_brainio
from ..imported import Imported
from ..published_recording import chosen
from ..read_options import ReadOptions


def read(path: Path, options: ReadOptions, card: DatasetCard) -> Imported:
    """One experiment of the assembly, as the card of that experiment loads it.

    Parameters
    ----------
    path : Path
        The netCDF file.
    options : ReadOptions
        ``task``, the experiment; ``subject``.
    card : DatasetCard

    Raises
    ------
    UserError
        For a damaged file, or one without the experiment.
    """
    data = from_brainio(
        path,
        identifier=card.identifier,
        modality="language",
        region="language",
        selection=card.options["selection"],
    )
    responses = data.responses
    assert responses is not None
    subjects = list(dict.fromkeys(responses["subject"].values.astype(str).tolist()))
    wanted = chosen("subject", options.names("subject"), subjects, "subject")
    keep = np.flatnonzero(np.isin(responses["subject"].values.astype(str), wanted))
    stimuli = pd.DataFrame(data.stimuli).drop(columns=["experiment"], errors="ignore")
    for ours, theirs in card.options["columns"].items():
        if theirs in stimuli.columns:
            stimuli[ours] = stimuli[theirs]
    of_neuroids = {
        str(name): values.values[keep]
        for name, values in responses.coords.items()
        if values.dims == ("neuroid",)
    }
    neuroids = pd.DataFrame(of_neuroids)
    neuroids["neuroid_id"] = neuroids["neuroid_id"].astype(str)
    neuroids["subject"] = neuroids["subject"].astype(str)
    shown = pd.DataFrame({name: responses[name].values for name in ("stimulus_id", "repetition")})
    about = {
        name: str(getattr(card, name))
        for name in ("title", "species", "technique", "license", "bibtex", "source", "units")
    }
    ceiling = card.published_ceilings["language"]
    return Imported(
        stimuli=stimuli,
        values=np.asarray(responses.values[:, keep], np.float32),
        presentations=shown,
        neuroids=neuroids,
        modality="language",
        about=about,
        published_ceilings=card.published_ceilings,
        said=[
            f"{options.task}: {len(stimuli)} sentences, {len(keep)} voxels of {len(wanted)} subjects",
            f"ceiling {ceiling['value']} of the language system: {ceiling['source']}",
        ],
        left_out=dict(responses.attrs.get("left_out", {})),
    )
