"""A folder of Kilosort or Phy: spikes in samples, the cluster of each, and what people said of the clusters."""

import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...bounded import check_plain, require_for
from ...errors import UserError, first_line
from ..imported import Computed, Imported, ReadOptions
from ..reading.tables.onsets import named_file, shown_beside
from ..reading.tables.stimuli import read_stimulus_table
from ..reading.tables.table import read_table, separator_of
from ..timeseries.spikes import check_clock, counts, shaped
from ..timeseries.trials import Trials, apart_from, text_of, trials_of
from ..timeseries.units import chosen_units
from ..timeseries.windows import Floats, Windows, inside, window, windows_of
from .recording import RecordingFormat, add_recording_format

_TIMES, _CLUSTERS = "spike_times.npy", "spike_clusters.npy"
_RATE = re.compile(
    r"^\s*sample_rate\s*=\s*([0-9][0-9_]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?)\s*(?:#.*)?$", re.MULTILINE
)
_PIECE = 1 << 21
"""Spikes that are held together."""
_MM = 1e-3
"""mm of a micrometer."""


@add_recording_format
class Phy(RecordingFormat):
    """A folder of Kilosort or Phy (spike_times.npy, spike_clusters.npy, cluster_*.tsv) and a table of onsets.

    Nothing of ``params.py`` is run: its sample rate is found by pattern. Positions are those on the probe. Seen: files
    written by hand in this layout. Not seen: sparse templates (``templates_ind.npy``), ``cluster_info.tsv`` of Phy.
    """

    name = "phy"
    takes: ClassVar[tuple[str, ...]] = (
        "events", "stimulus_column", "where", "stimuli", "quality", "region", "window", "bins"
    )  # fmt: skip

    def recognizes(self, path: Path) -> bool:
        """A folder with the times of spikes and their clusters."""
        return (path / _TIMES).is_file() and (path / _CLUSTERS).is_file()

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """Rates of the chosen clusters in windows after the onsets of the table that ``--events`` names."""
        check_plain(path)
        windows = windows_of(options, window())
        said: list[str] = []
        if options.window is None and options.bins is None:
            said.append(f"the window is that of default, {windows}: others by --window or --bins")
        trials = _trials(path, options, said)
        stimuli, pictures = shown_beside(trials, options.stimuli, said)
        left_out = dict(trials.left_out)
        rate = _sample_rate(path)
        spikes, clusters = _spikes(path)
        ids = _ids(clusters, path)
        labels = _labels(path, ids)
        place = path.name
        kept = chosen_units(labels, options.quality, place, said, left_out)
        neuroids = pd.DataFrame({"neuroid_id": [str(one) for one in ids]})
        if options.region is not None:
            neuroids["region"] = options.region
        else:
            said.append("no region is known: name it by --region")
        neuroids = pd.concat([neuroids, _positions(path, ids, labels, clusters)], axis=1)
        for name in labels:
            if name not in neuroids and name not in ("subject", "cluster_id"):
                neuroids[name] = labels[name]
        span = (0.0, float(spikes[-1]) / rate)
        heard = inside(trials.onsets, windows, [span])
        check_clock(heard, trials.onsets, span, place)
        if n := int((~heard).sum()):
            left_out["presentations outside the recording (NaN)"] = n
        chosen = ids[kept]
        said.append(
            f"the recording is taken to last from 0 to its last spike ({span[1]:g} s), {rate:g} samples/s"
        )

        def get(rows: slice, columns: slice) -> npt.NDArray[Any]:
            found = cluster_counts(spikes, clusters, chosen[columns], rate, trials.onsets[rows], windows)
            found = (found / windows.seconds).astype(np.float32)
            found[~heard[rows]] = np.nan
            return shaped(found, windows)

        shape = (len(trials.onsets), len(chosen)) + ((len(windows.starts),) if windows.in_time else ())
        said.append(f"{len(chosen)} of {len(ids)} units: spikes/s, {windows}")
        about = {"technique": "extracellular electrophysiology", "units": "spikes/s"}
        if "x" in neuroids:
            about["space"] = "probe"
            said.append("positions are those on the probe")
        return Imported(
            stimuli=stimuli,
            values=Computed(shape, get),
            presentations=trials.presentations,
            neuroids=apart_from(trials.presentations, neuroids[kept].reset_index(drop=True)),
            time_bins=windows.table,
            pictures=pictures,
            about=about,
            said=said,
            left_out=left_out,
        )


def cluster_counts(
    spikes: npt.NDArray[Any],
    clusters: npt.NDArray[Any],
    chosen: npt.NDArray[np.int64],
    rate: float,
    onsets: Floats,
    windows: Windows,
) -> npt.NDArray[np.int64]:
    """Counts of the spikes of some clusters, (onset, cluster, window), when all clusters stand in one array.

    Onsets are taken in the order of time, as many together as have some two million spikes between them; these are
    parted by cluster and counted by :func:`.timeseries.spikes.counts`.

    Parameters
    ----------
    spikes, clusters : array of shape (n_spikes,)
        Samples, ascending, and the cluster of each; in memory or in a file.
    chosen : array of int, ascending
    rate : float
        Samples a second.
    onsets : array of shape (n_onsets,)
        In s.
    windows : Windows
    """
    found = np.zeros((len(onsets), len(chosen), len(windows.starts)), np.int64)
    order = np.argsort(onsets, kind="stable")
    first = _places(spikes, (onsets[order] + windows.bounds[0] - 1e-6) * rate)
    last = _places(spikes, (onsets[order] + windows.bounds[1] + 1e-6) * rate)
    at = 0
    while at < len(order):
        n = max(1, int(np.searchsorted(last[at:], first[at] + _PIECE, side="right")))
        piece = slice(int(first[at]), int(last[at + n - 1]))
        owners = _owners(clusters[piece], chosen)
        mine = owners >= 0
        owners = owners[mine]
        times = np.asarray(spikes[piece][mine], np.float64) / rate
        sorting = np.argsort(owners, kind="stable")
        borders = np.searchsorted(owners[sorting], np.arange(len(chosen) + 1))
        times = times[sorting]
        here = order[at : at + n]
        for i in range(len(chosen)):
            found[here, i] = counts(times[borders[i] : borders[i + 1]], onsets[here], windows)
        at += n
    return found


def _owners(clusters: npt.NDArray[Any], chosen: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Which of the chosen clusters each spike is of; -1 for none. Two bytes each, which sort in linear time."""
    last = int(chosen[-1]) if len(chosen) else -1
    if last >= _PIECE or len(chosen) > np.iinfo(np.int16).max:
        near = np.searchsorted(chosen, clusters).clip(max=len(chosen) - 1)
        return np.where(chosen[near] == clusters, near, -1)
    numbers = np.full(last + 2, -1, np.int16)
    numbers[chosen] = np.arange(len(chosen))
    found: npt.NDArray[np.int16] = numbers[np.minimum(np.asarray(clusters).astype(np.int64), last + 1)]
    return found


def _places(spikes: npt.NDArray[Any], samples: Floats) -> npt.NDArray[np.int64]:
    """How many spikes, which are at whole samples, come before each of some times in samples, without a copy."""
    largest = 2.0**53 if spikes.dtype.kind == "f" else min(2.0**53, float(np.iinfo(spikes.dtype).max))
    whole = np.clip(np.ceil(samples), 0, largest).astype(spikes.dtype)
    return np.searchsorted(spikes, whole).astype(np.int64)


def _trials(path: Path, options: ReadOptions, said: list[str]) -> Trials:
    given = named_file(options.events, path)
    if given is None:
        what = "" if options.events is None else f" ({options.events} is no file)"
        raise UserError(
            f"{path.name} holds spikes and no onsets{what}: name a table by --events FILE, with columns onset (s, the "
            "probe's clock) and stimulus_id"
        )
    table = read_stimulus_table(given)
    trials = trials_of(table, given.name, stimulus_column=options.stimulus_column, where=options.where)
    said += [
        f"{len(trials.onsets)} presentations of {len(trials.stimuli)} stimuli: {given.name}",
        *trials.said,
    ]
    return trials


def _sample_rate(path: Path) -> float:
    params = path / "params.py"
    if not params.is_file():
        raise UserError(f"{path.name} has no params.py: its line 'sample_rate = 30000.' is needed")
    if params.stat().st_size > 1 << 20:
        raise UserError(f"{params} is larger than 1 MiB: it is no params.py of Phy")
    found = _RATE.findall(params.read_text("utf-8", "replace"))
    rates = {float(one) for one in found}
    if len(rates) != 1 or not 0 < min(rates) < np.inf:
        raise UserError(
            f"{params} names {'no' if not rates else 'more than one'} sample_rate as a number: write one line "
            "'sample_rate = 30000.' (the file is read, never run)"
        )
    return rates.pop()


def _array(path: Path, name: str) -> npt.NDArray[Any]:
    """An array in a file, left there."""
    try:
        found: npt.NDArray[Any] = np.load(path / name, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, TypeError) as error:
        if "pickle" in str(error) or "Python objects" in str(error):
            raise UserError(
                f"{path / name} is a pickle: refused; save it with np.save, as numbers"
            ) from error
        raise UserError(
            f"{path / name} is no whole array of numpy: cut off or damaged ({first_line(error)})"
        ) from error
    return found


def _spikes(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Samples and clusters of all spikes.

    Raises
    ------
    UserError
        For arrays of unlike lengths, samples that are not in order, or numbers that are neither.
    """
    spikes, clusters = _array(path, _TIMES), _array(path, _CLUSTERS)
    for name, one in ((_TIMES, spikes), (_CLUSTERS, clusters)):
        if one.ndim > 2 or (one.ndim == 2 and one.shape[1] != 1) or one.dtype.kind not in "iuf":
            raise UserError(
                f"{path / name} is of shape {one.shape} and {one.dtype}: one number a spike is needed"
            )
    spikes, clusters = spikes.reshape(-1), clusters.reshape(-1)
    if len(spikes) != len(clusters):
        raise UserError(f"{path}: {len(spikes)} spike times and {len(clusters)} clusters of spikes")
    if not len(spikes):
        raise UserError(f"{path / _TIMES} holds no spikes")
    before = -np.inf
    for at in range(0, len(spikes), _PIECE):
        piece = np.asarray(spikes[at : at + _PIECE], np.float64)
        step = np.diff(piece, prepend=before)
        if not (step >= 0).all() or piece[0] < 0:
            i = int(np.flatnonzero(~(step >= 0))[0]) if not (step >= 0).all() else 0
            raise UserError(
                f"{path / _TIMES}: spike times are not in order (spike {at + i}, sample {piece[i]:g}): sort them"
            )
        before = piece[-1]
    if spikes.dtype.kind == "f" and len(spikes) > 1 and (np.asarray(spikes[: 1 << 16]) % 1).any():
        raise UserError(f"{path / _TIMES} holds fractions: Kilosort's times are whole samples, not s")
    return spikes, clusters


def _ids(clusters: npt.NDArray[Any], path: Path) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = np.empty(0, np.int64)
    for at in range(0, len(clusters), _PIECE):
        piece = np.asarray(clusters[at : at + _PIECE]).astype(np.int64)
        few = piece.min() >= 0 and piece.max() < _PIECE
        found = np.union1d(found, np.flatnonzero(np.bincount(piece)) if few else piece)
    if found[0] < 0:
        raise UserError(f"{path / _CLUSTERS}: cluster {found[0]} is negative")
    return found


def _labels(path: Path, ids: npt.NDArray[np.int64]) -> pd.DataFrame:
    """What the tables of clusters say, a row a cluster that has spikes; ``group`` before Kilosort's own ``KSLabel``."""
    found = pd.DataFrame(index=pd.Index(ids))
    files = sorted(
        one for ending in ("tsv", "csv") for one in path.glob(f"cluster_*.{ending}") if one.is_file()
    )
    for file in sorted(files, key=lambda one: one.stem == "cluster_info"):  # which repeats the others
        table = read_table(file, separator=separator_of(file, by_content=True))
        key = next((name for name in ("cluster_id", "id") if name in table), None)
        if key is None:
            raise UserError(
                f"{file} has no column cluster_id: it has {', '.join(map(str, table.columns[:8]))}"
            )
        if table[key].duplicated().any():
            raise UserError(
                f"{file}: cluster {text_of(table[key][table[key].duplicated()].iloc[0])} has two rows"
            )
        rows = table.set_index(pd.to_numeric(table[key], errors="coerce")).drop(columns=key).reindex(ids)
        for name in rows:
            if name not in found:
                found[str(name)] = rows[name]
    return found.reset_index(drop=True)


def _positions(
    path: Path, ids: npt.NDArray[np.int64], labels: pd.DataFrame, clusters: npt.NDArray[Any]
) -> pd.DataFrame:
    """``x``, ``y`` and ``z`` in mm on the probe: of the channel with the largest template, else the depth alone."""
    if (path / "channel_positions.npy").is_file() and (path / "templates.npy").is_file():
        at = np.asarray(_array(path, "channel_positions.npy"), np.float64)
        peaks = _peak_channels(path, ids, clusters)
        if at.ndim != 2 or at.shape[1] != 2 or peaks.max(initial=-1) >= len(at):
            raise UserError(
                f"{path / 'channel_positions.npy'} is of shape {at.shape}, and templates name channel {peaks.max()}"
            )
        where = np.where(peaks[:, None] >= 0, at[peaks], np.nan) * _MM
    elif "depth" in labels:
        depth = pd.to_numeric(labels["depth"], errors="coerce").to_numpy(np.float64)
        where = np.stack([np.where(np.isnan(depth), np.nan, 0.0), depth * _MM], axis=1)
    else:
        return pd.DataFrame(index=range(len(ids)))
    planar = pd.DataFrame(where, columns=["x", "y"])
    return planar.assign(z=np.where(planar["x"].isna(), np.nan, 0.0))


def _peak_channels(
    path: Path, ids: npt.NDArray[np.int64], clusters: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """The channel with the largest range in the commonest template of each cluster; -1 where it has none."""
    templates = _array(path, "templates.npy")
    if templates.ndim != 3:
        raise UserError(
            f"{path / 'templates.npy'} is of shape {templates.shape}, not (template, sample, channel)"
        )
    require_for(path / "templates.npy", 16 * int(np.prod(templates.shape[1:])))
    common = _commonest_templates(path, ids, clusters)
    channels = _array(path, "templates_ind.npy") if (path / "templates_ind.npy").is_file() else None
    peaks = np.full(len(ids), -1, np.int64)
    for i, template in enumerate(common):
        if not 0 <= template < len(templates):
            continue
        largest = int(np.ptp(np.asarray(templates[template], np.float64), axis=0).argmax())
        peaks[i] = largest if channels is None else int(channels[template, largest])
    return peaks


def _commonest_templates(
    path: Path, ids: npt.NDArray[np.int64], clusters: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    if not (path / "spike_templates.npy").is_file():
        return ids  # before anything is merged or split, a cluster has its template's number
    of_spikes = _array(path, "spike_templates.npy").reshape(-1)
    if len(of_spikes) != len(clusters):
        raise UserError(
            f"{path}: {len(of_spikes)} templates of spikes and {len(clusters)} clusters of spikes"
        )
    pairs: dict[tuple[int, int], int] = {}
    for at in range(0, len(clusters), _PIECE):
        piece = np.stack([clusters[at : at + _PIECE], of_spikes[at : at + _PIECE]], axis=1).astype(np.int64)
        both, n = np.unique(piece, axis=0, return_counts=True)
        for (cluster, template), times in zip(both.tolist(), n.tolist(), strict=True):
            pairs[cluster, template] = pairs.get((cluster, template), 0) + times
    best: dict[int, tuple[int, int]] = {}
    for (cluster, template), times in pairs.items():
        best[cluster] = max(best.get(cluster, (0, -1)), (times, template))
    return np.array([best[int(one)][1] for one in ids], np.int64)
