"""What readers of surface recordings share: vertices as neuroids, regions of atlases, what was shown when."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....bounded import check_plain
from ....errors import UserError, unknown
from ....files import natural, parse_json
from ...imported import Computed, Numbers, ReadOptions
from .freesurfer_files import is_annotation, read_annotation
from .gifti_arrays import column_of, is_gifti, open_gifti
from .meshes import HEMISPHERES, SIDES, Mesh, by_hemisphere, read_meshes, side_of

TAKES = ("subject", "session", "run", "task", "space", "events", "stimuli", "stimulus_column", "series", "tr",
         "surface", "atlas", "region", "units")  # fmt: skip
"""The options that all of these readers understand."""
_ENTITY = re.compile(r"(?:^|_)([a-zA-Z]+)-([a-zA-Z0-9]+)(?=[_.])")
_MOST_JSON = 1 << 22


@dataclass(frozen=True)
class Sampled:
    """Samples of vertices, before anyone has said what was shown.

    Attributes
    ----------
    path : Path
    runs : mapping of str to int
        Run -> its samples, in their order.
    values : Numbers
        (samples of all runs, neuroids).
    neuroids : DataFrame
    what : str
        What a sample is called in the files.
    tr : float or None
        What the files say.
    start : float
        Time of the first sample of a run, in s.
    names : sequence of str
        Of the samples, where the files name them.
    about, surfaces, said
        As in :class:`..imported.Imported`.
    left_out : mapping of str to int
    """

    path: Path
    runs: Mapping[str, int]
    values: Numbers
    neuroids: pd.DataFrame
    what: str
    tr: float | None = None
    start: float = 0.0
    names: Sequence[str] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    surfaces: Mapping[str, Path] = field(default_factory=dict)
    said: Sequence[str] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Samples in all."""
        return sum(self.runs.values())


def without_side(name: str) -> str:
    """The name without what tells the hemisphere, the same for both."""
    for pattern, _ in SIDES:
        if pattern.search(name):
            return pattern.sub("", name, count=1).lstrip("_.-")
    return name


def entities_of(name: str) -> dict[str, str]:
    """``sub-01_task-view`` as ``{"sub": "01", "task": "view"}``."""
    return dict(_ENTITY.findall(name))


def chosen_files(files: Sequence[Path], options: ReadOptions, where: Path) -> list[Path]:
    """The files whose names fit the options, of one subject, task and space: ``run-2`` before ``run-10``.

    Raises
    ------
    UserError
        Where none fits, or an option has to say which.
    """
    left = sorted(files, key=lambda one: natural(one.name))
    for option, entity in (
        ("subject", "sub"),
        ("session", "ses"),
        ("task", "task"),
        ("space", "space"),
        ("run", "run"),
    ):
        there = sorted({value for one in left if (value := entities_of(one.name).get(entity)) is not None})
        wanted = options.names(option)
        if wanted is not None:
            wanted = [one.removeprefix(f"{entity}-") for one in wanted]
            strange = next((one for one in wanted if one not in there), None)
            if strange is not None:
                raise unknown(f"{option} in {where}", strange, there)
            left = [one for one in left if entities_of(one.name).get(entity) in wanted]
        if option in ("subject", "task", "space") and len(there if wanted is None else wanted) > 1:
            raise UserError(f"{where} holds several {option}s ({', '.join(there)}): say which by --{option}")
    return left


def run_of(name: str) -> str:
    """The name of a run, such as ``ses-01_task-view_run-2``, by the file's."""
    found = entities_of(name)
    parts = [f"{entity}-{found[entity]}" for entity in ("ses", "task", "run") if entity in found]
    return "_".join(parts) or without_side(name).split(".")[0]


def sampled_files(
    path: Path,
    files: Sequence[Path],
    options: ReadOptions,
    opened: Callable[[Path], Numbers],
    what: str,
    told: Callable[[Path], str | None] = lambda path: None,
) -> Sampled:
    """A file, or the files of a folder, of one subject, with a hemisphere each.

    Parameters
    ----------
    path : Path
    files : sequence of Path
        Of the format, of a folder.
    options : ReadOptions
    opened : callable
        File -> its (samples, vertices).
    what : str
        What a sample is called in them.
    told : callable, optional
        The hemisphere that a file tells inside, for those whose names tell none.
    """
    said = []
    if path.is_dir():
        check_plain(path)
        if not files:
            raise UserError(f"{path} holds no recording of vertices: meshes and labels alone are none")
    else:
        files = [path]
        other = _other_side(path)
        if other is not None:
            said = [f"of {path.name} alone; {other} lies beside it: give the folder to take both"]
    by_run = _by_run(chosen_files(files, options, path), told, options)
    read = {run: {side: opened(one) for side, one in pair.items()} for run, pair in by_run.items()}
    first = next(iter(by_run.values()))
    sides = [side for side in HEMISPHERES if side in first]
    counts = {
        side: next(iter(read.values()))[side].shape[1] for side in sides if side in next(iter(read.values()))
    }
    for run, values in read.items():
        _check_pair(run, values, counts)
    paths, meshes = surfaces_of(options, sides)
    regions = regions_of(options, counts)
    entities = entities_of(first[sides[0]].name)
    if not regions and options.region is None:
        said += ["no regions: all vertices are of 'cortex' (name them by --atlas L=FILE,R=FILE or --region)"]
    if not meshes:
        said += ["no positions: name the meshes by --surface L=FILE,R=FILE"]
    tr, start = _clock([one for pair in by_run.values() for one in pair.values()], options)
    return Sampled(
        path,
        {run: values[sides[0]].shape[0] for run, values in read.items()},
        stitched([[values[side] for side in sides] for values in read.values()]),
        vertex_neuroids(
            counts,
            meshes,
            regions,
            subject=entities.get("sub", ""),
            region="" if regions else options.region or "cortex",
        ),
        what,
        tr=tr,
        start=start,
        about={"space": entities["space"]} if "space" in entities else {},
        surfaces=paths,
        said=[", ".join(f"{n} vertices of {side}" for side, n in counts.items()), *said],
    )


def _other_side(path: Path) -> str | None:
    """The file of the other hemisphere that lies beside one."""
    ending = path.name.partition(".")[2]
    beside = (one.name for one in sorted(path.parent.iterdir()) if one.name.endswith(ending) and one != path)
    return next(
        (one for one in beside if side_of(one) and without_side(one) == without_side(path.name)), None
    )


def _by_run(
    files: Sequence[Path], told: Callable[[Path], str | None], options: ReadOptions
) -> dict[str, dict[str, Path]]:
    """Run -> hemisphere -> file. A single file may be of the hemisphere whose mesh was named."""
    by_run: dict[str, dict[str, Path]] = {}
    meshes = list(by_hemisphere(options.surface, "surface"))
    named = meshes[0] if len(files) == len(meshes) == 1 else None
    for one in files:
        by_name, inside = side_of(one.name), told(one)
        if by_name and inside and by_name != inside:
            raise UserError(
                f"{one.name} is {by_name} by its name, and {inside} by what it says inside: which is it?"
            )
        side = by_name or inside or named
        if named and side not in (None, named):
            raise UserError(f"{one.name} is of {side}, and --surface names a mesh of {named}")
        if side is None:
            raise UserError(
                f"{one.name} does not say which hemisphere it is of: name it hemi-L_... or lh...., or name its mesh by "
                "--surface L=FILE"
            )
        pair = by_run.setdefault(run_of(one.name), {})
        if side in pair:
            raise UserError(
                f"{pair[side].name} and {one.name} are both {side} of the run {run_of(one.name)!r}: keep one of them"
            )
        pair[side] = one
    return by_run


def _check_pair(run: str, values: Mapping[str, Numbers], counts: Mapping[str, int]) -> None:
    """Both hemispheres in every run, with as many samples, on the same surface."""
    if set(values) != set(counts):
        raise UserError(
            f"the run {run!r} has {' and '.join(sorted(values))}, and others have {' and '.join(counts)}: leave the "
            "run out, or add the other hemisphere"
        )
    for side, one in values.items():
        if one.shape[1] != counts[side]:
            raise UserError(
                f"the run {run!r} has {one.shape[1]} vertices of {side}, and others have {counts[side]}"
            )
    if len({one.shape[0] for one in values.values()}) > 1:
        lengths = " and ".join(f"{one.shape[0]} of {side}" for side, one in sorted(values.items()))
        raise UserError(f"the hemispheres of the run {run!r} have unlike numbers of samples: {lengths}")


def _clock(files: Sequence[Path], options: ReadOptions) -> tuple[float | None, float]:
    """TR and time of the first sample (fMRIPrep's ``StartTime``), the same of all files that say so; both in s."""
    said: dict[tuple[float | None, float], Path] = {}
    for one in files:
        beside = one.with_name(f"{one.name.partition('.')[0]}.json")
        if beside.is_file():
            said.setdefault(_sidecar(beside), beside)
    if len(said) > 1 and options.is_series():
        words = [f"{path.name} a TR of {tr} s from {start:g} s on" for (tr, start), path in said.items()]
        raise UserError(f"a series has one clock, and {' and '.join(words[:2])}: choose by --run or --task")
    return next(iter(said), (None, 0.0))


def _sidecar(beside: Path) -> tuple[float | None, float]:
    try:
        said = parse_json(beside.read_bytes()) if beside.stat().st_size < _MOST_JSON else {}
    except ValueError as error:
        raise UserError(f"{beside} cannot be read as JSON: {error}") from error
    numbers = []
    for name in ("RepetitionTime", "StartTime"):
        value = said.get(name) if isinstance(said, dict) else None
        if value is not None and (not isinstance(value, int | float) or not 0 <= value < 3600):
            raise UserError(f"{beside}: {name} must be seconds, not {value!r}")
        numbers.append(None if value is None else float(value))
    return numbers[0] or None, numbers[1] or 0.0


def vertex_neuroids(
    counts: Mapping[str, int],
    meshes: Mapping[str, Mesh],
    regions: Mapping[str, npt.NDArray[np.object_]],
    *,
    vertices: Mapping[str, npt.NDArray[np.intp]] | None = None,
    subject: str = "",
    region: str = "cortex",
) -> pd.DataFrame:
    """A row a vertex: ``neuroid_id`` (``L-17``), ``hemisphere``, ``vertex``, ``region``, ``subject``, place in mm.

    Parameters
    ----------
    counts : mapping of str to int
        Hemisphere -> vertices of its surface.
    meshes : mapping of str to Mesh
    regions : mapping of str to array
        Hemisphere -> the region of every vertex of its surface.
    vertices : mapping of str to array, optional
        Those that were recorded, all by default.
    subject, region : str
        Of all of them; the region where there are no `regions`.
    """
    parts = []
    for side, n in counts.items():
        here = np.arange(n) if vertices is None else np.asarray(vertices[side], np.intp)
        if side in meshes and len(meshes[side]) != n:
            raise UserError(
                f"the mesh of {side} has {len(meshes[side])} vertices, and the recording {n}: they do not belong "
                "together (--surface)"
            )
        part = pd.DataFrame(
            {"neuroid_id": [f"{side}-{one}" for one in here], "hemisphere": side, "vertex": here}
        )
        part["region"] = regions[side][here] if side in regions else region
        if side in meshes:
            part[["x", "y", "z"]] = meshes[side].positions[here]
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    if subject:
        table["subject"] = subject
    return table


def surfaces_of(options: ReadOptions, sides: Sequence[str]) -> tuple[dict[str, Path], dict[str, Mesh]]:
    """The meshes that were named, checked, and their files."""
    paths = by_hemisphere(options.surface, "surface")
    strange = next((side for side in paths if side not in sides), None)
    if strange is not None:
        raise UserError(f"--surface names a mesh of {strange}, and the recording has {' and '.join(sides)}")
    return paths, read_meshes(paths)


def regions_of(options: ReadOptions, counts: Mapping[str, int]) -> dict[str, npt.NDArray[np.object_]]:
    """The region of every vertex by ``--atlas L=FILE,R=FILE``: FreeSurfer's ``.annot`` or ``.label.gii``.

    Raises
    ------
    UserError
        For an atlas of another surface, or one of the two hemispheres only.
    """
    if options.atlas is None:
        return {}
    paths = by_hemisphere(options.atlas, "atlas")
    found = {}
    for side, n in counts.items():
        if side not in paths:
            raise UserError(f"--atlas names no file of {side}, and the recording has {' and '.join(counts)}")
        found[side] = _regions(paths[side])
        if len(found[side]) != n:
            raise UserError(
                f"{paths[side]} labels {len(found[side])} vertices, and {side} has {n}: an atlas of the same surface "
                "is needed"
            )
    return found


def _regions(path: Path) -> npt.NDArray[np.object_]:
    if is_annotation(path):
        return read_annotation(path)
    if not is_gifti(path):
        raise UserError(f"{path} is no atlas of a surface: .annot and .label.gii are")
    file = open_gifti(path)
    if len(file.of("LABEL")) != 1:
        raise UserError(f"{path} holds {len(file.of('LABEL'))} arrays of labels: one is needed")
    numbers = column_of(file, file.of("LABEL")[0]).astype(np.int64)
    names = np.array([file.labels.get(int(one), f"label {one}") for one in np.unique(numbers)], dtype=object)
    named: npt.NDArray[np.object_] = names[np.searchsorted(np.unique(numbers), numbers)]
    return named


def in_region(table: pd.DataFrame, options: ReadOptions) -> npt.NDArray[np.intp]:
    """The rows of the neuroids that ``--region`` chooses of an atlas, of structures or of parcels; all without."""
    if options.region is None:
        return np.arange(len(table))
    there = sorted(set(table["region"]))
    if options.region not in there:
        raise unknown("region of the recording", options.region, there)
    return np.flatnonzero(table["region"] == options.region)


def stitched(grid: Sequence[Sequence[Numbers]], dtype: Any = np.float32) -> Computed:
    """Arrays side by side (hemispheres) and below each other (runs), of which only what is asked for is read."""
    rows = np.cumsum([0, *(line[0].shape[0] for line in grid)])
    columns = np.cumsum([0, *(one.shape[1] for one in grid[0])])

    def get(asked_rows: slice, asked_columns: slice) -> npt.NDArray[Any]:
        first, last, _ = asked_rows.indices(int(rows[-1]))
        left, right, _ = asked_columns.indices(int(columns[-1]))
        found = np.empty((max(last - first, 0), max(right - left, 0)), dtype)
        for line, top in zip(grid, rows, strict=False):
            for one, edge in zip(line, columns, strict=False):
                a, b = max(first, top), min(last, top + one.shape[0])
                c, d = max(left, edge), min(right, edge + one.shape[1])
                if a < b and c < d:
                    found[a - first : b - first, c - left : d - left] = one[
                        slice(int(a - top), int(b - top)), slice(int(c - edge), int(d - edge))
                    ]
        return found

    return Computed((int(rows[-1]), int(columns[-1])), get, np.dtype(dtype))


def picked(
    values: Numbers, columns: npt.NDArray[np.intp], rows: npt.NDArray[np.intp] | None = None
) -> Numbers:
    """Some of the neuroids, and of the rows, of an array that stays where it is."""
    lines = np.arange(values.shape[0]) if rows is None else rows
    if np.array_equal(columns, np.arange(values.shape[1])) and np.array_equal(
        lines, np.arange(values.shape[0])
    ):
        return values

    def get(asked_rows: slice, neuroids: slice) -> npt.NDArray[Any]:
        here, there = columns[neuroids], lines[asked_rows]
        if not len(here) or not len(there):
            return np.empty((len(there), len(here)), values.dtype)
        top, left = int(there.min()), int(here.min())
        block: npt.NDArray[Any] = values[slice(top, int(there.max()) + 1), slice(left, int(here.max()) + 1)]
        chosen: npt.NDArray[Any] = block[there - top][:, here - left]
        return chosen

    return Computed((len(lines), len(columns)), get, np.dtype(values.dtype))
