"""EEG, MEG, ECoG and sEEG as MNE reads them: epochs, and continuous recordings with their events."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import UserError
from ..imported import Imported, ReadOptions
from ..recorded import is_blank
from ..timeseries.field_potentials import HIGH_GAMMA, check_band
from .array_recording import time_bins
from .mne_events import bad_segments, of_continuous, of_epochs
from .mne_files import KINDS, Opened, channels_of, files_of, looks_like, open_files
from .mne_series import Span, series_of, spans_of
from .mne_signals import Band, Cuts, cut_continuous, cut_epochs
from .presentation_table import of_one_subject
from .recording import RecordingFormat, add_recording_format
from .stimuli_beside import stimuli_beside

_AMPLITUDE = "amplitude in the band over its mean"


@add_recording_format
class Mne(RecordingFormat):
    """EEG, MEG, ECoG or sEEG as MNE reads them: -epo.fif with metadata; .fif, BrainVision, EDF, BDF with events."""

    name = "mne"
    takes = (
        "channels", "events", "stimulus_column", "stimuli", "window", "bins", "band", "line", "series", "tr", "subject",
        "region", "units",
    )  # fmt: skip
    package, extra = "mne", "mne"

    def recognizes(self, path: Path) -> bool:
        """A file that begins as one, or a folder with such files and no table of stimuli."""
        try:
            if path.is_dir():
                own = (path / "stimuli.csv").is_file() or (path / "dataset_description.json").is_file()
                return not own and bool(files_of(path))
            return path.is_file() and looks_like(path)
        except OSError:
            return False

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """Responses in a window or in bins after onset, or with ``--series yes`` the samples in time."""
        opened, subject = open_files(path, options.subject)
        picks, neuroids, left_out, said = channels_of(opened, options)
        band = _band(opened[0], options)
        said = [_what(opened), *said, *_stored(opened, options)]
        if options.series is not None:
            if options.series != "yes":
                raise UserError(f"--series must be yes, not {options.series!r}")
            return _series(path, opened, picks, _of(neuroids, subject), band, options, said, left_out)
        if options.tr is not None:
            raise UserError("--tr is of samples in time: say --series yes with it")
        first = opened[0]
        bins = _bins(first, options)
        parts = [_trials(one, options, bins, said) for one in opened]
        if len(parts) > 1:
            parts = [
                (_with_run(one, trials), cuts) for one, (trials, cuts) in zip(opened, parts, strict=True)
            ]
        trials = pd.concat([trials for trials, _ in parts], ignore_index=True)
        _count(left_out, [cuts for _, cuts in parts])
        trials, kept, found = of_one_subject(trials, options.subject, path.name)
        subject = found or subject
        if not len(kept):
            raise UserError(f"{path.name}: no trial is left ({_reasons(left_out)})")
        all_cuts = _kept([cuts for _, cuts in parts], kept)
        make = cut_epochs if first.is_epochs else cut_continuous
        shown = stimuli_beside(trials["stimulus_id"].tolist(), options.stimuli, trials)
        return Imported(
            shown.stimuli,
            make(all_cuts, picks, is_window=options.window is not None, band=band),
            trials,
            _of(neuroids, subject),
            time_bins=bins if options.window is None else None,
            pictures=shown.pictures,
            about=_about(path, neuroids, band, options),
            said=(*said, _timing(bins, options), *shown.said),
            left_out=left_out,
        )


def _what(opened: Sequence[Opened]) -> str:
    first = opened[0]
    kind = "epochs" if first.is_epochs else "continuous"
    more = f" and {len(opened) - 1} more files" if len(opened) > 1 else ""
    size = (
        f"{sum(len(one.data) for one in opened)} epochs"
        if first.is_epochs
        else f"{sum(one.data.n_times for one in opened) / first.rate:.1f} s"
    )
    return f"{kind}: {first.path.name}{more}, {size}, {first.rate:g} samples a second"


def _stored(opened: Sequence[Opened], options: ReadOptions) -> list[str]:
    """What was done to the signal before it was saved, and is kept."""
    first = opened[0].data
    said = []
    if opened[0].is_epochs:
        baseline = first.baseline
        said.append(
            "baseline: none was subtracted"
            if baseline is None
            else f"baseline: {1000 * baseline[0]:g} to {1000 * baseline[1]:g} ms, as it was subtracted before saving"
        )
    elif options.series is None:
        said.append("baseline: none is subtracted")
    waiting = sum(not one["active"] for one in first.info["projs"])
    if waiting:
        said.append(f"projectors: {waiting} are stored and not applied")
    return said


def _band(first: Opened, options: ReadOptions) -> Band | None:
    line = options.numbers("line", 1)
    if options.band is None:
        if line is not None:
            raise UserError("--line is of --band: say which, e.g. --band high-gamma")
        return None
    if first.is_epochs:
        raise UserError(
            f"--band needs the continuous signal, for filters ring at the edges of epochs: give the recording that "
            f"{first.path.name} was cut from"
        )
    said = list(HIGH_GAMMA) if options.band == "high-gamma" else options.numbers("band", 2)
    assert said is not None
    lowpass = float(first.data.info["lowpass"])
    check_band(said[0], said[1], first.rate, lowpass if lowpass < first.rate / 2 else None)
    if line is None:
        stored = first.data.info.get("line_freq")
        if not stored:
            raise UserError(
                "--band: say the frequency of the mains by --line 50 or --line 60 (0: leave it in)"
            )
        line = [float(stored)]
    return Band((said[0], said[1]), line[0] or None)


def _bins(first: Opened, options: ReadOptions) -> pd.DataFrame:
    """The window or the bins that are asked for."""
    window = options.numbers("window", 2)
    bins = options.numbers("bins", 3)
    if (window is None) == (bins is None):
        lasts = ""
        if first.is_epochs:
            times = 1000 * first.data.times
            lasts = f"; the epochs last from {times[0]:g} to {times[-1]:g} ms"
        what = (
            "both --window and --bins are said"
            if window
            else "which time after onset is the response is not said"
        )
        raise UserError(f"{what}: --window A,B is one mean, --bins A,B,WIDTH is many, in ms{lasts}")
    if window is not None:
        if window[0] >= window[1]:
            raise UserError(f"--window {window[0]:g},{window[1]:g}: it ends before it begins")
        return time_bins(window[0], window[1], window[1] - window[0])
    assert bins is not None
    return time_bins(*bins)


def _timing(bins: pd.DataFrame, options: ReadOptions) -> str:
    start, end = bins["time_bin_start"].iloc[0], bins["time_bin_end"].iloc[-1]
    if options.window is not None:
        return f"response: the mean from {start:g} to {end:g} ms after onset"
    return f"responses: {len(bins)} bins from {start:g} to {end:g} ms after onset"


def _trials(
    one: Opened, options: ReadOptions, bins: pd.DataFrame, said: list[str]
) -> tuple[pd.DataFrame, Cuts]:
    """The trials of a file whose samples lie within it, and where they are cut."""
    if one.is_epochs:
        trials, where = of_epochs(one, options)
        lines = [where]
        cuts = Cuts.of_epochs(one, bins)
    else:
        events = of_continuous(one, options)
        lines = list(events.said)
        cuts = Cuts.of_onsets(one, bins, events.onsets, bad_segments(one))
        trials = events.trials.iloc[cuts.rows].reset_index(drop=True)
    said.extend(line for line in lines if line not in said)
    return trials, cuts


def _with_run(one: Opened, trials: pd.DataFrame) -> pd.DataFrame:
    run = one.run if "run" not in trials.columns else one.run + "_" + trials["run"].astype(str)
    return trials.assign(run=run)


def _count(left_out: dict[str, int], cuts: Sequence[Cuts]) -> None:
    for one in cuts:
        for reason, count in one.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + count


def _reasons(left_out: dict[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in left_out.items()) or "there were none"


def _kept(cuts: Sequence[Cuts], kept: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> list[Cuts]:
    """Cuts of the rows that are kept, out of those of all files one after the other."""
    found, start = [], 0
    for one in cuts:
        mine = kept[(kept >= start) & (kept < start + len(one.rows))] - start
        start += len(one.rows)
        found.append(one.taking(mine))
    return found


def _of(neuroids: pd.DataFrame, subject: str | None) -> pd.DataFrame:
    return (
        neuroids if subject is None or is_blank(np.array([subject]))[0] else neuroids.assign(subject=subject)
    )


def _about(path: Path, neuroids: pd.DataFrame, band: Band | None, options: ReadOptions) -> dict[str, str]:
    kinds = list(dict.fromkeys(neuroids["channel_kind"]))
    known = [KINDS[kind] for kind in kinds if kind in KINDS]
    units = ", ".join(dict.fromkeys(unit for _, unit in known))
    return {
        "source": str(path),
        "technique": ", ".join(dict.fromkeys(technique for technique, _ in known)),
        "units": options.units or (units if band is None else _AMPLITUDE),
    }


def _series(
    path: Path,
    opened: Sequence[Opened],
    picks: list[int],
    neuroids: pd.DataFrame,
    band: Band | None,
    options: ReadOptions,
    said: list[str],
    left_out: dict[str, int],
) -> Imported:
    if options.window is not None or options.bins is not None:
        raise UserError(
            "--series yes keeps all samples: --window and --bins are of trials, --tr S averages samples"
        )
    spans: list[Span] = []
    for one in opened:
        found, lines = spans_of(one, options)
        spans.extend(found)
        said.extend(line for line in lines if line not in said)
    made = series_of(spans, picks, options, band)
    return Imported(
        made.stimuli, made.values, made.presentations, neuroids, kind="series", tr=made.tr, good=made.good,
        blocks="run", about=_about(path, neuroids, band, options), said=(*said, *made.said),
        left_out=left_out | made.left_out,
    )  # fmt: skip
