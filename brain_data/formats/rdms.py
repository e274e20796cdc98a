"""RDMs of one's own, in place of responses: of which region, subject and session each is, and what its numbers say."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from ...errors import UserError, unknown
from ...memory import require
from ..arrays import as_names, is_symmetric, real_numbers
from ..columns import ColumnMap
from .base import FORMATS, Parts, format_of, read_responses

Floats = npt.NDArray[np.float64]

MEASURES = ("distance", "similarity", "none")
"""What ``rdms`` of ``dataset.toml`` may be; the last says that square responses are responses."""
DIMS = ("subject", "session", "stimulus", "stimulus_other")
IN_A_FOLDER = (
    'say rdms = "distance" (or "similarity") in dataset.toml if it is one, or rdms = "none" if it is not'
)
"""How to answer :func:`..arrays.ask_about_rdm` there."""
_RSATOOLBOX = (".h5", ".hdf5")
_LABELS = ("region", "subject", "session")
_ALSO = {
    "roi": "region", "participant": "subject", "subj": "subject", "sub": "subject", "ses": "session",
    "dissimilarities": "rdms", "responses": "rdms",
}  # fmt: skip
_TOLERANCE = 1e-6


def own_rdms(
    folder: Path, said: str, region: str, names: npt.NDArray[Any], columns: ColumnMap
) -> dict[str, xr.DataArray]:
    """The RDMs of a folder by region; none where it holds responses.

    They lie in ``rdms`` of one of the formats of responses, or as rsatoolbox saves them in HDF5; where `said` names a
    measure, a square matrix of responses is one RDM.

    Parameters
    ----------
    folder : Path
    said : {"", "distance", "similarity", "none"}
        What the numbers are.
    region : str
        Of RDMs without one.
    names : array of shape (n_stimuli,)
        Ids, in the order of the stimulus table.
    columns : ColumnMap
        What the files call the arrays.

    Raises
    ------
    UserError
        For a file that cannot be read, numbers that are no RDM, or what may be read in two ways.
    """
    if said not in ("", *MEASURES):
        raise unknown("kind of rdms in dataset.toml", said, MEASURES)
    files = sorted(path for path in folder.glob("rdms.*") if path.is_file())
    if not files:
        if said in ("", "none"):
            return {}
        return labeled_rdms(_parts(read_responses(folder, columns), "the responses"), said, region, names)
    beside = sorted(path for path in folder.glob("responses.*") if format_of(path) is not None)
    if len(files) + len(beside) > 1:
        raise UserError(
            f"{folder} holds {', '.join(path.name for path in (*files, *beside))}: keep one, responses or rdms"
        )
    (path,) = files
    if path.suffix.lower() in _RSATOOLBOX:
        parts = _of_rsatoolbox(path, names)
        said = said or "distance"  # dissimilarities, by the name of the array
    elif (file_format := format_of(path)) is not None:
        parts = _parts(file_format.read_mapped(path, columns), path.name)
    elif path.suffix.lower() in (".pkl", ".pickle"):
        raise UserError(
            f"{path.name} is a pickle, which could execute code when read: refused; save it by "
            "rdms.save('rdms.h5', file_type='hdf5')"
        )
    else:
        endings = sorted({*(suffix for one in FORMATS.values() for suffix in one.suffixes), *_RSATOOLBOX})
        raise UserError(f"{path.name} is not read: it must be rdms with one of {', '.join(endings)}")
    if "rdms" not in parts:
        raise unknown(f"array: {path.name} needs", "rdms", parts)
    if said == "none":
        raise UserError(f'dataset.toml says rdms = "none", but there is {path.name}: leave out one of them')
    return labeled_rdms(parts, said, region, names)


def labeled_rdms(parts: Parts, said: str, region: str, names: npt.NDArray[Any]) -> dict[str, xr.DataArray]:
    """RDMs by region, ``(subject, session, stimulus, stimulus_other)``, in the order of the stimuli.

    Parameters
    ----------
    parts : mapping of str to array
        ``rdms`` of shape (n, n), (rdm, n, n), (n, n, rdm), (n (n - 1) / 2) or (rdm, n (n - 1) / 2), and of each RDM
        ``region``, ``subject``, ``session``; ``stimulus_id`` of rows and columns where they are not in order.
    said : {"", "distance", "similarity"}
        Empty where it shall be seen, which only a diagonal of zeros allows.
    region, names
        As for :func:`own_rdms`.
    """
    matrices, has_diagonal = _matrices(real_numbers(parts["rdms"], "the RDMs"), len(names))
    labels = {name: _labels(parts, name, len(matrices)) for name in _LABELS}
    rows = _rows(parts.get("stimulus_id"), names)
    for i, matrix in enumerate(matrices):
        matrices[i] = _distances(matrix, said, _described(labels, i), rows, has_diagonal=has_diagonal)
    order = _order(rows, names)
    matrices = matrices[:, order][:, :, order]
    regions = labels["region"] if labels["region"] is not None else np.full(len(matrices), region, object)
    return {
        one: _of_region(matrices[regions == one], {name: None if values is None else values[regions == one]
                                                   for name, values in labels.items()}, one, names)
        for one in dict.fromkeys(regions.tolist())
    }  # fmt: skip


def _parts(found: Parts, file: str) -> Parts:
    """The arrays of a file under our names."""
    parts: Parts = {}
    columns = as_names(np.asarray(found["neuroid_id"])).tolist() if "neuroid_id" in found else []
    rows = as_names(np.asarray(found["stimulus_id"])).tolist() if "stimulus_id" in found else []
    for name, values in found.items():
        ours = _ALSO.get(name.lower(), name.lower())
        if ours in ("neuroid_id", "repetition"):
            continue  # of a table, whose columns a header may name
        if (
            ours == "rdms"
            and columns != rows
            and sorted(columns) == sorted(rows)
            and len(set(rows)) == len(rows)
        ):
            values = np.asarray(values)[:, [columns.index(one) for one in rows]]
        if ours not in ("rdms", "stimulus_id", *_LABELS):
            raise unknown(f"array of {file}", name, ("rdms", "stimulus_id", *_LABELS))
        parts[ours] = values
    return parts


def _of_rsatoolbox(path: Path, names: npt.NDArray[Any]) -> Parts:
    """What ``rsatoolbox.rdm.RDMs.save`` wrote: vectors of dissimilarities, with descriptors of RDMs and patterns."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            vectors = _array(file, "dissimilarities", path)
            if vectors is None:
                raise UserError(f"{path.name} holds no dissimilarities: it is no file of rsatoolbox")
            about = _descriptors(file, "rdm_descriptors", path)
            patterns = _descriptors(file, "pattern_descriptors", path)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is damaged or not an HDF5 file ({error}): save it again") from error
    parts: Parts = {"rdms": vectors}
    for name, values in about.items():
        ours = _ALSO.get(name.lower(), name.lower())
        if ours in _LABELS:
            parts[ours] = values
    ids = sorted(map(str, names))
    wanted = {name: as_names(values) for name, values in patterns.items() if name != "index"}
    naming = [name for name, values in wanted.items() if sorted(values.tolist()) == ids]
    if naming:
        parts["stimulus_id"] = wanted[naming[0]]
    elif wanted:
        raise UserError(
            f"none of the pattern descriptors of {path.name} ({', '.join(sorted(wanted))}) has the stimulus ids of "
            "stimuli.csv: name the patterns so, or leave the descriptors out where the order is that of stimuli.csv"
        )
    return parts


def _descriptors(file: Any, name: str, path: Path) -> dict[str, npt.NDArray[Any]]:
    import h5py

    group = file.get(name) if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    if not isinstance(group, h5py.Group):
        return {}
    found = {key: _array(group, key, path) for key in group} | dict(group.attrs.items())
    return {key: np.atleast_1d(_text(values)) for key, values in found.items() if values is not None}


def _array(group: Any, name: str, path: Path) -> npt.NDArray[Any] | None:
    """An array that lies in the file itself: links and external storage would read other files."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        if name in group:
            raise UserError(f"{path.name}: {name!r} lies in another file: refused; save it whole")
        return None
    stored = group[name]
    if not isinstance(stored, h5py.Dataset) or stored.shape is None:
        return None
    if stored.is_virtual or stored.external:
        raise UserError(f"{path.name}: {name!r} lies in another file: refused; save it whole")
    numbers = 2 * stored.size + prod(stored.chunks or (0,))
    require(numbers * max(stored.dtype.itemsize, 8), f"reading {path.name}", remedy="save fewer RDMs")
    return np.asarray(stored[()])


def _text(values: Any) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind == "S" or array.dtype.kind == "O":
        decoded = [one.decode() if isinstance(one, bytes) else str(one) for one in array.ravel()]
        return np.array(decoded, dtype=object).reshape(array.shape)
    return array


def _matrices(values: Floats, n: int) -> tuple[Floats, bool]:
    """All RDMs, (rdm, n, n), and whether they came with a diagonal."""
    n_pairs = n * (n - 1) // 2
    if values.shape == (n, n):
        return values[None].copy(), True
    if values.ndim == 3 and values.shape[1:] == (n, n):
        return values.copy(), True
    if values.ndim == 3 and values.shape[:2] == (n, n):  # as MATLAB stacks them
        return np.moveaxis(values, -1, 0).copy(), True
    vectors = values[None] if values.ndim == 1 else values
    if vectors.ndim != 2 or vectors.shape[1] != n_pairs:
        raise UserError(
            f"there are {n} stimuli, but the RDMs are of shape {values.shape}: expected ({n}, {n}) or (rdm, {n}, {n}), "
            f"or {n_pairs} pairs of stimuli, or (rdm, {n_pairs})"
        )
    row, column = np.triu_indices(n, k=1)
    square = np.zeros((len(vectors), n, n))
    square[:, row, column] = square[:, column, row] = vectors
    return square, False


def _labels(parts: Parts, name: str, n: int) -> npt.NDArray[Any] | None:
    if name not in parts:
        return None
    values = as_names(np.atleast_1d(np.asarray(parts[name])))
    if len(set(values.tolist())) == 1 and (len(values) == 1 or n == 1):
        values = np.repeat(values[:1], n)
    if values.shape != (n,):
        raise UserError(f"{name} has {len(values)} values, but there are {n} RDMs")
    if any(not str(one).strip() for one in values):
        raise UserError(f"{name} of RDM {[not str(one).strip() for one in values].index(True) + 1} is empty")
    return values


def _described(labels: Mapping[str, npt.NDArray[Any] | None], i: int) -> str:
    known = [f"{name} {values[i]}" for name, values in labels.items() if values is not None]
    return f"RDM {i + 1} ({', '.join(known)})" if known else f"RDM {i + 1}"


def _rows(given: npt.NDArray[Any] | None, names: npt.NDArray[Any]) -> list[str]:
    """The stimulus of each row."""
    ids = [str(one) for one in names]
    if given is None:
        return ids
    rows = [str(one) for one in as_names(np.asarray(given))]
    if len(set(rows)) < len(rows):
        raise UserError(
            f"stimulus_id of the RDMs names {next(one for one in rows if rows.count(one) > 1)!r} twice"
        )
    odd = sorted(set(rows) ^ set(ids))
    if odd:
        raise UserError(
            f"the RDMs and stimuli.csv name different stimuli: {len(odd)} differ (first: {odd[0]!r})"
        )
    return rows


def _order(rows: list[str], names: npt.NDArray[Any]) -> list[int]:
    place = {name: i for i, name in enumerate(rows)}
    return [place[str(name)] for name in names]


def _distances(matrix: Floats, said: str, what: str, rows: list[str], *, has_diagonal: bool) -> Floats:
    """Distances, exactly symmetric and 0 on the diagonal."""
    n = len(matrix)
    bad = ~np.isfinite(matrix)
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise UserError(
            f"{what}: {int(bad.sum())} entries are NaN or infinite (first: {rows[i]!r} with {rows[j]!r}): every pair "
            "of stimuli needs a number, and a stimulus with itself 0 (or, of similarities, the most)"
        )
    apart = matrix[~np.eye(n, dtype=bool)]
    size = float(np.abs(apart).max(initial=0.0))
    if not is_symmetric(matrix):
        i, j = np.unravel_index(np.abs(matrix - matrix.T).argmax(), matrix.shape)
        raise UserError(
            f"{what} is not symmetric (first: {rows[i]!r} with {rows[j]!r} is {matrix[i, j]:.6g}, the other way "
            f"{matrix[j, i]:.6g}): fill both triangles"
        )
    if np.ptp(apart) <= 1e-12 * size:
        raise UserError(
            f"{what} has the same number for all pairs of stimuli: nothing can be compared with it"
        )
    if not said and apart.max() <= 0 and not (has_diagonal and np.diagonal(matrix).any()):
        raise UserError(
            f"{what} has no number above 0 off its diagonal, so its numbers may be distances with their sign turned: "
            'turn it, or say rdms = "similarity" or rdms = "distance" in dataset.toml'
        )
    both = (matrix + matrix.T) / 2
    if has_diagonal:
        both = _by_diagonal(both, said, what, apart, size)
    elif said != "distance":
        both = _without_diagonal(both, said, what, apart)
    np.fill_diagonal(both, 0.0)
    return both


def _by_diagonal(matrix: Floats, said: str, what: str, apart: Floats, size: float) -> Floats:
    diagonal = np.diagonal(matrix)
    least, most = float(diagonal.min()), float(diagonal.max())
    constant = most - least <= _TOLERANCE * max(size, abs(most))
    if constant and abs(most) <= _TOLERANCE * size:  # zeros
        if said == "similarity":
            raise UserError(
                f"{what} has a diagonal of 0, as distances have, but dataset.toml says similarity: put there what a "
                "stimulus has with itself, such as 1"
            )
        return matrix
    if said == "distance":
        raise UserError(
            f"{what} has a diagonal of {least:.3g} to {most:.3g}, but distances of a stimulus to itself are 0: say "
            'rdms = "similarity" in dataset.toml if that is what they are'
        )
    if not said:
        raise UserError(
            f"{what} has a diagonal of {least:.3g} to {most:.3g}, so its numbers may be similarities: say "
            'rdms = "similarity" or rdms = "distance" in dataset.toml (distances have a diagonal of 0)'
        )
    if not constant or apart.max() > most + _TOLERANCE * max(size, abs(most)):
        raise UserError(
            f"{what}: similarities of stimuli to themselves are {least:.3g} to {most:.3g}, and of others up to "
            f"{apart.max():.3g}: the diagonal must be one number, and the largest; save distances instead"
        )
    return most - matrix


def _without_diagonal(matrix: Floats, said: str, what: str, apart: Floats) -> Floats:
    if not said:
        raise UserError(
            f'{what} is a list of pairs, of which nothing says what they are: say rdms = "distance" or '
            'rdms = "similarity" in dataset.toml'
        )
    if apart.max() > 1 + _TOLERANCE:
        raise UserError(
            f"{what}: similarities are up to {apart.max():.3g}, and what a stimulus has with itself is not known: save "
            "whole matrices, or distances"
        )
    return 1 - matrix


def _of_region(
    matrices: Floats, labels: Mapping[str, npt.NDArray[Any] | None], region: str, names: npt.NDArray[Any]
) -> xr.DataArray:
    """The RDMs of one region as an array, subjects in the order in which they come first."""
    subjects, sessions = labels["subject"], labels["session"]
    if subjects is None:
        if len(matrices) > 1:
            raise UserError(
                f"there are {len(matrices)} RDMs of {region}, and nothing says whose: add subject, one for each RDM "
                "(the ceiling stands on it)"
            )
        subjects = np.array(["pooled"], object)
    people = list(dict.fromkeys(subjects.tolist()))
    if sessions is None:
        sessions = np.array(
            [str(1 + subjects[:i].tolist().count(one)) for i, one in enumerate(subjects)], object
        )
    times = list(dict.fromkeys(sessions.tolist()))
    place = {}
    for i, key in enumerate(zip(subjects.tolist(), sessions.tolist(), strict=True)):
        if key in place:
            raise UserError(f"two RDMs are of {region}, subject {key[0]}, session {key[1]}: keep one")
        place[key] = i
    absent = [(one, when) for one in people for when in times if (one, when) not in place]
    if absent:
        raise UserError(
            f"there is no RDM of {region}, subject {absent[0][0]}, session {absent[0][1]}: give every subject the same "
            "sessions, or the mean of each one's"
        )
    values = np.array([[matrices[place[one, when]] for when in times] for one in people])
    coordinates = {"subject": people, "session": times, "stimulus": names, "stimulus_other": names}
    return xr.DataArray(values, dims=DIMS, coords=coordinates)
