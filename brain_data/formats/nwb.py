"""NWB 2: spikes of sorted units, or fluorescence of regions of interest, around the presentations of a session."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ...errors import UserError
from ..imported import Imported, ReadOptions
from ..reading.nwb.file import (
    Table,
    array,
    children,
    is_nwb,
    member,
    needed,
    opened,
    table_named,
    text,
    whole,
)
from ..reading.nwb.fluorescence import fluorescence_of, fluorescence_series
from ..reading.nwb.pictures import Pictures, pictures_of
from ..reading.nwb.presented import Presented
from ..reading.nwb.units import units_of
from ..reading.tables.onsets import named_file, shown_beside
from ..reading.tables.stimuli import read_stimulus_table
from ..timeseries.trials import Trials, apart_from, trials_of
from ..timeseries.windows import Bools, Windows, overlaps, window, windows_of
from .recording import RecordingFormat, add_recording_format

_UNITS = "units"


@add_recording_format
class Nwb(RecordingFormat):
    """NWB 2 (DANDI, the Allen Institute's sessions): spikes of sorted units, or fluorescence, and a table of trials.

    Read with h5py alone, block by block; links into other files are refused. Seen: files of pynwb. Not seen, known from
    documentation: sessions of the Allen Institute, whose units name their electrode by ``peak_channel_id``, whose
    electrodes have ``*_ccf_coordinate`` in micrometers, and whose ``invalid_times`` may mean one probe of many: here
    they always mean all.
    """

    name = "nwb"
    takes: ClassVar[tuple[str, ...]] = (
        "events", "stimulus_column", "where", "stimuli", "array", "quality", "region", "region_column", "window", "bins"
    )  # fmt: skip

    def recognizes(self, path: Path) -> bool:
        """A file that ends in ``.nwb``, or an HDF5 file that names its version of NWB."""
        return is_nwb(path)

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """Responses in windows after the onsets of one table of presentations."""
        said: list[str] = []
        left_out: dict[str, int] = {}
        with opened(path) as file:
            source = _source(path, file, options.array)
            windows = windows_of(options, window() if source == _UNITS else None)
            if options.window is None and options.bins is None:
                said.append(f"the window is that of default, {windows}: others by --window or --bins")
            name, trials = _trials(path, file, options)
            said += [
                f"{len(trials.onsets)} presentations of {len(trials.stimuli)} stimuli: {name}",
                *trials.said,
            ]
            left_out |= trials.left_out
            stimuli, pictures = shown_beside(trials, options.stimuli, said)
            inside = Pictures()
            if options.stimuli is None:
                inside = pictures_of(path, file, trials.stimuli["stimulus_id"].tolist(), name, said)
                trials = _with_pictures(trials, inside, left_out)
                stimuli, pictures = _named(trials.stimuli, inside), dict(inside.paths)
            invalid = _invalid(path, file, trials, windows)
            shown = Presented(path, file, trials.onsets, invalid, windows, options, said, left_out)
            values, neuroids, about = units_of(shown) if source == _UNITS else fluorescence_of(shown, source)
            about = _about(file) | about
            presentations, subject = _with_session(file, trials), _text(file, "general/subject/subject_id")
        if subject:
            neuroids["subject"] = subject
        return Imported(
            stimuli=stimuli,
            values=inside.kept_with(values),
            presentations=presentations,
            neuroids=apart_from(presentations, neuroids),
            time_bins=windows.table,
            pictures=pictures,
            about=about,
            said=said,
            left_out=left_out,
        )


def _source(path: Path, file: Any, asked: str | None) -> str:
    """``units``, or the path of a series of fluorescence.

    Raises
    ------
    UserError
        For none, several, or one that there is not.
    """
    known = [_UNITS] if array(file, "units/id") is not None else []
    known += fluorescence_series(file)
    if asked is not None:
        chosen = [one for one in known if asked.strip("/") in (one, one.rpartition("/")[2])]
        if len(chosen) != 1:
            raise UserError(f"{path.name}: --array {asked} must be one of {', '.join(known) or 'none'}")
        return chosen[0]
    if not known:
        raise UserError(f"{path.name} holds no units with spikes and no fluorescence of regions of interest")
    if len(known) > 1:
        raise UserError(f"{path.name} holds {', '.join(known)}: say which by --array")
    return known[0]


def _trials(path: Path, file: Any, options: ReadOptions) -> tuple[str, Trials]:
    given = named_file(options.events, path)
    if given is not None:
        name, table = given.name, read_stimulus_table(given)
    else:
        name, group = table_named(file, options.events, path)
        table = _rows(path, name, group)
    place = f"{path.name}: {name}" if given is None else name
    asked = options.stimulus_column
    return name, trials_of(table, place, stimulus_column=asked, where=options.where)


def _rows(path: Path, name: str, group: Any) -> pd.DataFrame:
    """A table of intervals, or the indices and times of a series of pictures."""
    place = f"{path.name}: {name}"
    if array(group, "id") is not None:
        return Table(group, place).labels()
    times, frames = whole(needed(group, "timestamps", place)), whole(needed(group, "data", place))
    if times.shape != frames.shape:
        raise UserError(f"{place} has {len(frames)} pictures and {len(times)} times")
    return pd.DataFrame({"start_time": times, "frame": frames})


def _invalid(path: Path, file: Any, trials: Trials, windows: Windows) -> Bools:
    group = member(file, "intervals/invalid_times")
    if group is None:
        return np.zeros(len(trials.onsets), bool)
    table = Table(group, f"{path.name}: invalid_times").labels()
    return overlaps(trials.onsets, windows, table[["start_time", "stop_time"]])


def _with_session(file: Any, trials: Trials) -> pd.DataFrame:
    """Presentations with the session of the file, where they name none."""
    session = _text(file, "general/session_id") or _text(file, "identifier")
    if "session" in trials.presentations or not session:
        return trials.presentations
    return trials.presentations.assign(session=session)


def _text(file: Any, name: str) -> str:
    found = array(file, name)
    return "" if found is None else text(found[()])


def _about(file: Any) -> dict[str, str]:
    two_photon = bool(children(member(file, "general/optophysiology")))
    found = {
        "title": _text(file, "session_description"),
        "species": _text(file, "general/subject/species"),
        "technique": "" if two_photon else "extracellular electrophysiology",
        "source": _text(file, "general/related_publications"),
    }
    return {name: one for name, one in found.items() if one}


def _with_pictures(trials: Trials, pictures: Pictures, left_out: dict[str, int]) -> Trials:
    """Presentations whose picture is known, such as all but those of a blank screen; all where no picture is."""
    if not pictures.paths:
        return trials
    kept = trials.of_stimuli(pictures.paths)
    if n := len(trials.onsets) - len(kept.onsets):
        left_out["presentations of stimuli without a picture"] = n
    return kept


def _named(stimuli: pd.DataFrame, pictures: Pictures) -> pd.DataFrame:
    if not pictures.paths:
        return stimuli
    return stimuli.assign(filename=[pictures.paths[one].name for one in stimuli["stimulus_id"]])
