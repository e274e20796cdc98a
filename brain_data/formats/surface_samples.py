"""What readers of surface recordings share: vertices as neuroids, regions of atlases, what was shown when."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...bounded import check_plain
from ...errors import UserError, unknown
from ...files import parse_json
from ..gifti_arrays import column_of, is_gifti, open_gifti
from ..imported import Computed, Imported, Numbers, ReadOptions
from ..meshes import HEMISPHERES, Mesh, by_hemisphere, read_meshes
from .freesurfer_files import is_annotation, read_annotation
from .table import read_table

TAKES = ("subject", "session", "run", "task", "space", "events", "stimuli", "stimulus_column", "series", "tr",
         "surface", "atlas", "region", "units")  # fmt: skip
"""The options that all of these readers understand."""
_SIDES = (
    (re.compile(r"(?:^|[_.])hemi-([LR])(?=[_.])"), None),
    (re.compile(r"(?:^|[_.-])(lh|rh)(?=[_.-])"), {"lh": "L", "rh": "R"}),
    (re.compile(r"[_.-]([LR])(?=[_.-])"), None),
    (re.compile(r"[_.-](left|right)(?=[_.-])", re.IGNORECASE), {"left": "L", "right": "R"}),
)
_ENTITY = re.compile(r"(?:^|_)([a-zA-Z]+)-([a-zA-Z0-9]+)(?=[_.])")
_MOST_JSON = 1 << 22
_BESIDE = ("filename", "stim_file", "sentence", "word", "category")


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


def side_of(name: str) -> str | None:
    """The hemisphere that the name of a file tells: ``hemi-L``, ``lh.``, ``.L.``, ``_left``."""
    for pattern, sides in _SIDES:
        if found := pattern.search(name):
            return found[1] if sides is None else sides[found[1].lower()]
    return None


def without_side(name: str) -> str:
    """The name without what tells the hemisphere, the same for both."""
    for pattern, _ in _SIDES:
        if pattern.search(name):
            return pattern.sub("", name, count=1).lstrip("_.-")
    return name


def entities_of(name: str) -> dict[str, str]:
    """``sub-01_task-view`` as ``{"sub": "01", "task": "view"}``."""
    return dict(_ENTITY.findall(name))


def chosen_files(files: Sequence[Path], options: ReadOptions, where: Path) -> list[Path]:
    """The files whose names fit the options, of one subject, task and space.

    Raises
    ------
    UserError
        Where none fits, or an option has to say which.
    """
    left = list(files)
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
    tr, start = _sidecar(first[sides[0]])
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
        side = side_of(one.name) or told(one) or named
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
            f"the run {run!r} has {' and '.join(sorted(values))}, and others have {' and '.join(counts)}: leave the run "
            "out, or add the other hemisphere"
        )
    for side, one in values.items():
        if one.shape[1] != counts[side]:
            raise UserError(
                f"the run {run!r} has {one.shape[1]} vertices of {side}, and others have {counts[side]}"
            )
    if len({one.shape[0] for one in values.values()}) > 1:
        lengths = " and ".join(f"{one.shape[0]} of {side}" for side, one in sorted(values.items()))
        raise UserError(f"the hemispheres of the run {run!r} have unlike numbers of samples: {lengths}")


def _sidecar(path: Path) -> tuple[float | None, float]:
    """TR and time of the first sample (fMRIPrep's ``StartTime``), of the JSON file beside a file; both in s."""
    beside = path.with_name(f"{path.name.partition('.')[0]}.json")
    if not beside.is_file():
        return None, 0.0
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
    """The rows of the neuroids that ``--region`` chooses of an atlas; all without."""
    if options.region is None or options.atlas is None:
        return np.arange(len(table))
    there = sorted(set(table["region"]))
    if options.region not in there:
        raise unknown("region of the atlas", options.region, there)
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


def picked(values: Numbers, columns: npt.NDArray[np.intp]) -> Numbers:
    """Some of the neuroids of an array that stays where it is."""
    if np.array_equal(columns, np.arange(values.shape[1])):
        return values

    def get(rows: slice, neuroids: slice) -> npt.NDArray[Any]:
        here = columns[neuroids]
        if not len(here):
            return np.empty((len(range(*rows.indices(values.shape[0]))), 0), values.dtype)
        low = int(here.min())
        block: npt.NDArray[Any] = values[rows, slice(low, int(here.max()) + 1)][:, here - low]
        return block

    return Computed((values.shape[0], len(columns)), get, np.dtype(values.dtype))


def as_imported(sampled: Sampled, options: ReadOptions) -> Imported:
    """The samples with what was shown: a trial each, or a series.

    Raises
    ------
    UserError
        Where it is not said which, or the table does not fit.
    """
    series = options.series is not None and options.series.lower() not in ("no", "false", "0")
    if series:
        return _series(sampled, options)
    if options.events is None and not sampled.names:
        raise UserError(
            f"{sampled.path} holds {sampled.n} {sampled.what}s and does not say what they are: say --events FILE (a row "
            "of the table for each, with stimulus_id), or --series yes with --stimuli FILE (samples in time)"
        )
    return _trials(sampled, options)


def _made(sampled: Sampled, options: ReadOptions, said: Sequence[str], **parts: Any) -> Imported:
    columns = in_region(sampled.neuroids, options)
    neuroids = sampled.neuroids.iloc[columns].reset_index(drop=True)
    about = dict(sampled.about) | ({"units": options.units} if options.units else {})
    return Imported(
        values=picked(sampled.values, columns),
        neuroids=neuroids,
        about=about,
        surfaces=sampled.surfaces,
        said=[*sampled.said, *said],
        left_out=dict(sampled.left_out),
        **parts,
    )


def _trials(sampled: Sampled, options: ReadOptions) -> Imported:
    if options.events is None:
        table = pd.DataFrame({"stimulus_id": list(sampled.names)})
        column, source = "stimulus_id", f"the names of the {sampled.what}s"
    else:
        path = Path(options.events).expanduser()
        table, column = _events(path, options), options.stimulus_column or "stimulus_id"
        source = path.name
    if column not in table:
        raise UserError(
            f"{source} has no column {column!r} (it has: {', '.join(map(str, table.columns))}): say which names the "
            "stimulus by --stimulus-column"
        )
    if len(table) != sampled.n:
        raise UserError(
            f"{source} has {len(table)} rows, and {sampled.path} holds {sampled.n} {sampled.what}s: one row for each "
            "is needed (samples in time are read with --series yes)"
        )
    if len(table) < 2:
        raise UserError(
            f"{sampled.path} holds one {sampled.what}: a static map is no recording of stimuli; look at it with "
            "brodmann analyze FILE --surface L=MESH"
        )
    empty = table[column].isna() | (table[column].astype(str).str.strip() == "")
    if empty.any():
        raise UserError(
            f"{source}: {int(empty.sum())} rows name no stimulus (first: row {int(empty.to_numpy().argmax())})"
        )
    table = table.rename(columns={column: "stimulus_id"}).drop(columns="subject", errors="ignore")
    table["stimulus_id"] = table["stimulus_id"].astype(str)
    if len(sampled.runs) > 1:
        table = _with_runs(table, sampled, source)
    stimuli, kept = _stimuli_of(table, options)
    pictures = _pictures(stimuli, options)
    said = [f"{sampled.n} {sampled.what}s, a trial each, of {len(stimuli)} stimuli by {source}"]
    return _made(sampled, options, said, stimuli=stimuli, presentations=kept, pictures=pictures)


def _events(path: Path, options: ReadOptions) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"--events: there is no file {path}")
    texts = ("stimulus_id", options.stimulus_column or "stimulus_id", "run", "session", "story", "run_name")
    separator = "\t" if path.suffix in (".tsv", ".txt") else ","
    return read_table(path, texts, separator=separator, missing=("n/a",))


def _with_runs(table: pd.DataFrame, sampled: Sampled, source: str) -> pd.DataFrame:
    """The table with the runs of the files; where it names runs of its own, they must be as many rows each."""
    names = np.repeat(list(sampled.runs), list(sampled.runs.values()))
    if "run" in table:
        pairs = pd.DataFrame({"file": names, "said": table["run"].astype(str)}).drop_duplicates()
        if pairs["file"].duplicated().any():
            first = pairs["file"][pairs["file"].duplicated()].iloc[0]
            raise UserError(
                f"{source}: the rows of the file of {first} name several runs: the rows must stand in the order of the "
                f"files ({', '.join(f'{run}: {n}' for run, n in sampled.runs.items())})"
            )
    return table.assign(run=names)


def _stimuli_of(table: pd.DataFrame, options: ReadOptions) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The stimuli, with the columns that are the same whenever one is shown; and the presentations with the others."""
    constant = [
        name
        for name in table.columns
        if name not in ("stimulus_id", "run", "session", "repetition", "onset", "duration", "time")
        and (table.groupby("stimulus_id")[name].nunique(dropna=False) == 1).all()
        and (name in _BESIDE or table["stimulus_id"].duplicated().any() or table[name].dtype == object)
    ]
    stimuli = table[["stimulus_id", *constant]].drop_duplicates("stimulus_id").reset_index(drop=True)
    path = None if options.stimuli is None else Path(options.stimuli).expanduser()
    if path is not None and path.is_file():
        separator = "\t" if path.suffix in (".tsv", ".txt") else ","
        described = read_table(path, ("stimulus_id",), separator=separator, missing=("n/a",))
        if "stimulus_id" not in described:
            raise UserError(
                f"{path} has no column 'stimulus_id' (it has: {', '.join(map(str, described.columns))})"
            )
        absent = sorted(set(stimuli["stimulus_id"]) - set(described["stimulus_id"]))
        if absent:
            raise UserError(
                f"{path} does not describe {len(absent)} stimuli that were shown (first: {absent[0]!r})"
            )
        more = described[[name for name in described if name == "stimulus_id" or name not in stimuli]]
        stimuli = stimuli.merge(more.drop_duplicates("stimulus_id"), on="stimulus_id", how="left")
    elif path is not None and not path.is_dir():
        raise UserError(f"--stimuli: there is no file or folder {path}")
    return stimuli, table.drop(columns=constant)


def _pictures(stimuli: pd.DataFrame, options: ReadOptions) -> dict[str, Path]:
    """Stimulus -> picture, of the folder that ``--stimuli`` names; nothing that lies outside of it."""
    folder = None if options.stimuli is None else Path(options.stimuli).expanduser()
    if folder is None or not folder.is_dir():
        return {}
    column = next((name for name in ("filename", "stim_file") if name in stimuli), "stimulus_id")
    root, found = folder.resolve(), {}
    for name, file in zip(stimuli["stimulus_id"], stimuli[column], strict=True):
        path = (root / str(file)).resolve()
        if not path.is_relative_to(root):
            raise UserError(f"the picture {file!r} of {name!r} lies outside of {folder}: refused")
        if not path.is_file():
            beside = sorted(root.glob(f"{re.sub(r'[^A-Za-z0-9_-]', '?', str(file))}.*"))
            if len(beside) != 1:
                raise UserError(f"{folder} holds no picture {file!r} of the stimulus {name!r}")
            path = beside[0]
        found[str(name)] = path
    return found


def _series(sampled: Sampled, options: ReadOptions) -> Imported:
    tr = _tr(sampled, options)
    if options.stimuli is None or not Path(options.stimuli).expanduser().is_file():
        raise UserError(
            "a series needs --stimuli FILE, a row a word or frame with story, onset and offset (or duration) in s"
        )
    path = Path(options.stimuli).expanduser()
    table = _stimulus_times(path)
    stories = list(dict.fromkeys(table["story"]))
    shown = _stories_of_runs(sampled, stories, options, path)
    rows = [
        pd.DataFrame({"stimulus_id": shown[run], "run": run, "time": sampled.start + np.arange(n) * tr})
        for run, n in sampled.runs.items()
    ]
    for run, n in sampled.runs.items():
        late = float(table.loc[table["story"] == shown[run], "onset"].max())
        if late > (n + 1) * tr:
            raise UserError(
                f"{path.name}: {shown[run]!r} goes on until {late:g} s, and {run} ends at {n * tr:g} s ({n} "
                f"{sampled.what}s, TR {tr:g} s): onsets outside the run"
            )
    said = [
        f"{sampled.n} samples in time of {len(sampled.runs)} runs, TR {tr:g} s, the first one of a run at {sampled.start:g} s"
    ]
    return _made(
        sampled, options, said, stimuli=table, presentations=pd.concat(rows, ignore_index=True), kind="series", tr=tr,
        blocks="run",
    )  # fmt: skip


def _tr(sampled: Sampled, options: ReadOptions) -> float:
    said = options.numbers("tr", 1)
    if said is None and sampled.tr is None:
        raise UserError(f"{sampled.path} does not say how far apart its samples are: say --tr S")
    tr = sampled.tr if said is None else said[0]
    assert tr is not None
    if not 0 < tr < 3600:
        raise UserError(f"the time from sample to sample must be above 0 s, not {tr:g}: say --tr S")
    if sampled.tr is not None and abs(tr - sampled.tr) > 1e-3 * sampled.tr:
        raise UserError(f"--tr {tr:g} is not what {sampled.path} says: {sampled.tr:g} s")
    return float(tr)


def _stimulus_times(path: Path) -> pd.DataFrame:
    table = read_table(
        path, ("stimulus_id", "story", "word"), separator="\t" if path.suffix == ".tsv" else ","
    )
    if "offset" not in table and {"onset", "duration"} <= set(table.columns):
        table["offset"] = table["onset"] + table["duration"]
    lacking = [name for name in ("story", "onset", "offset") if name not in table]
    if lacking:
        raise UserError(
            f"{path} has no column {lacking[0]!r} (it has: {', '.join(map(str, table.columns))}): a series needs story, "
            "onset and offset (or duration)"
        )
    for name in ("onset", "offset"):
        numbers = pd.to_numeric(table[name], errors="coerce")
        if not np.isfinite(numbers.to_numpy(float)).all():
            raise UserError(
                f"{path}: {name} is no number on row {int((~np.isfinite(numbers)).to_numpy().argmax())}"
            )
        table[name] = numbers.astype(float)
    if (table["offset"] < table["onset"]).any():
        raise UserError(
            f"{path}: row {int((table['offset'] < table['onset']).to_numpy().argmax())} ends before it begins"
        )
    if "stimulus_id" not in table:
        count = table.groupby("story").cumcount()
        table.insert(
            0, "stimulus_id", [f"{story}-{i:05d}" for story, i in zip(table["story"], count, strict=True)]
        )
    return table


def _stories_of_runs(
    sampled: Sampled, stories: Sequence[str], options: ReadOptions, path: Path
) -> dict[str, str]:
    """Run -> the story that it heard."""
    runs = list(sampled.runs)
    if options.events is not None:
        table = _events(Path(options.events).expanduser(), options)
        column = options.stimulus_column or "story"
        if not {"run", column} <= set(table.columns):
            raise UserError(f"{options.events}: of a series, --events has the columns run and {column}")
        said = dict(zip(table["run"].astype(str), table[column].astype(str), strict=True))
        absent = next((run for run in runs if run not in said), None)
        if absent is not None:
            raise unknown(f"run in {options.events}", absent, said)
        strange = next((said[run] for run in runs if said[run] not in stories), None)
        if strange is not None:
            raise unknown(f"story in {path}", strange, stories)
        return {run: said[run] for run in runs}
    if len(stories) == 1:
        return dict.fromkeys(runs, stories[0])
    by_name = {run: [one for one in stories if one in run] for run in runs}
    if all(len(found) == 1 for found in by_name.values()):
        return {run: found[0] for run, found in by_name.items()}
    raise UserError(
        f"{path} tells of {len(stories)} stories ({', '.join(stories[:3])}), and it is not said which one the run "
        f"{runs[0]!r} heard: say --events FILE with the columns run and story"
    )
