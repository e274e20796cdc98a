"""Onsets of presentations, and stimuli, in files of their own."""

from pathlib import Path

import pandas as pd

from ....errors import UserError
from ...timeseries.trials import Trials
from .stimuli import stimuli_beside
from .table import file_beside

_SUFFIXES = (".csv", ".tsv", ".txt")


def named_file(events: str | None, recording: Path) -> Path | None:
    """The file that ``--events`` names, here or beside the recording; None where it names a table inside it.

    Raises
    ------
    UserError
        For the name of a file that is not there.
    """
    if events is None:
        return None
    path = file_beside(events, recording)
    if path is None and Path(events).suffix.lower() in _SUFFIXES:
        raise UserError(f"--events {events}: there is no such file, neither here nor beside {recording.name}")
    return path


def shown_beside(trials: Trials, given: str | None, said: list[str]) -> tuple[pd.DataFrame, dict[str, Path]]:
    """The stimuli with what ``--stimuli`` says of them, and their pictures.

    Raises
    ------
    UserError
        For what is not there, or does not name every stimulus that is shown.
    """
    if given is None:
        return trials.stimuli, {}
    found = stimuli_beside(trials.presentations["stimulus_id"].tolist(), given)
    said.extend(found.said)
    labels = trials.stimuli.drop(
        columns=[name for name in found.stimuli if name != "stimulus_id"], errors="ignore"
    )
    return found.stimuli.merge(labels, how="left", on="stimulus_id"), found.pictures
