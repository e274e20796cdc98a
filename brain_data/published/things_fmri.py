"""THINGS-fMRI's table format: responses as pandas' HDF, one row a voxel, and two CSV tables beside it.

``sub-01_ResponseData.h5`` holds one data frame in PyTables' fixed format: `voxel_id` and one column a trial,
in the order of ``sub-01_StimulusMetadata.csv``. The names of the columns are pickled in it and never read;
their number and order are checked by the two tables. ``sub-01_VoxelMetadata.csv`` has the voxel's place in
the image (no mm), noise ceilings in % of variance, and one column a region with 0 and 1.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ..formats.table import read_table
from ..imported import Computed, Imported
from ..published_recording import chosen, only
from ..read_options import ReadOptions
from .arrays import Floats, from_image, hdf5, in_mm, opened_image, stored_array, zscored

_RESPONSES = "_ResponseData.h5"
_NO_REGION = ("voxel_id", "voxel_x", "voxel_y", "voxel_z")
_SHOWN = ("train", "test")


def read(path: Path, options: ReadOptions, about: Mapping[str, str]) -> Imported:
    """One person's betas as trials.

    Parameters
    ----------
    path : Path
        The folder of the tables, or the one above ``betas_csv``.
    options : ReadOptions
        ``subject``; ``region``, columns of the voxels' table, or ``all``; ``session``; ``events``, ``train`` or
        ``test``; ``stimuli``, the folder of THINGS' pictures; ``mask``, the image whose voxels they are, for mm.
    about : mapping
        What the card says.

    Raises
    ------
    UserError
        For what is missing, damaged, or does not fit.
    """
    folder = path if any(path.glob(f"sub-*{_RESPONSES}")) else path / "betas_csv"
    subjects = sorted(one.name.removesuffix(_RESPONSES) for one in folder.glob(f"sub-*{_RESPONSES}"))
    wanted = options.names("subject")
    asked = None if wanted is None else [f"sub-{one.removeprefix('sub-').zfill(2)}" for one in wanted]
    subject = only("subjects", chosen("subject", asked, subjects, "subject"), "subject")
    trials, voxels = (_table(folder / f"{subject}_{name}Metadata.csv") for name in ("Stimulus", "Voxel"))
    file = folder / f"{subject}{_RESPONSES}"
    place, leading = _betas(file, trials, voxels)
    rows, left_out = _rows(trials, options)
    columns, neuroids, said = _neuroids(voxels, subject, options, folder)
    values: Any = Computed((len(rows), len(columns)), _getter(file, place, rows + leading, columns))
    presentations = _presentations(trials.iloc[rows].reset_index(drop=True))
    if options.zscore not in (None, "session", "none"):
        raise UserError(f"--zscore must be 'session' or 'none', not {options.zscore!r}")
    if options.zscore == "session":
        values = zscored(values, presentations["session"].to_numpy(object))
        said += ["each voxel z-scored within each session"]
    stimuli = trials.iloc[rows].drop_duplicates("stimulus").reset_index(drop=True)
    pictures, pictures_said = _pictures(stimuli, options.stimuli)
    counts = presentations["stimulus_id"].value_counts()
    table = pd.DataFrame(
        {"stimulus_id": [_stem(one) for one in stimuli["stimulus"]], "split": stimuli["trial_type"]}
    )
    if "concept" in stimuli.columns:
        table["category"] = stimuli["concept"].astype(str)
    if pictures:
        table["filename"] = stimuli["stimulus"].astype(str)
    else:
        table["picture"] = stimuli["stimulus"].astype(str)
    return Imported(
        stimuli=table,
        values=values,
        presentations=presentations,
        neuroids=neuroids,
        pictures=pictures,
        modality="vision",
        about=about,
        said=[
            f"{subject}: {len(rows)} trials of {len(table)} pictures, shown {counts.min()} to {counts.max()} times",
            *said,
            pictures_said,
        ],
        left_out=left_out,
    )


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"{path} is missing: it lies beside the responses")
    table = read_table(path, ("stimulus", "concept", "trial_type"))
    unnamed = [
        column for column in table.columns if not str(column).strip() or str(column).startswith("Unnamed")
    ]
    table = table.drop(columns=unnamed)
    needed = ("stimulus", "trial_type", "session") if "Stimulus" in path.name else ("voxel_id",)
    absent = [name for name in needed if name not in table.columns]
    if absent:
        raise UserError(
            f"{path} has no column {absent[0]!r} (it has: {', '.join(map(str, table.columns[:8]))})"
        )
    return table


def _betas(path: Path, trials: pd.DataFrame, voxels: pd.DataFrame) -> tuple[str, int]:
    """Where the betas stand in the file, and how many columns stand before the trials."""
    with hdf5(path) as file:
        groups = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
        frames = [name for name in groups if b"frame" in _kind(file[name])]
        if len(frames) != 1:
            raise UserError(f"{path} holds {', '.join(groups) or 'nothing'}: not one data frame of pandas")
        group = file[frames[0]]
        if b"table" in _kind(group):
            raise UserError(
                f"{path} is in PyTables' table format: save it again by to_hdf(..., format='fixed')"
            )
        blocks = [name for name in group if name.startswith("block") and name.endswith("_values")]
        stored = {name: stored_array(group, name, (2,)) for name in blocks}
        wide = [name for name, one in stored.items() if one.shape[1] > 1 and one.dtype.kind == "f"]
        if len(wide) != 1:
            raise UserError(f"{path} has {len(wide)} blocks of numbers, not one with a column a trial")
        betas = stored[wide[0]]
        leading = betas.shape[1] - len(trials)
        ids = [one for name, one in stored.items() if name != wide[0] and one.shape[1] == 1]
        numbers = betas[:, 0] if leading == 1 else ids[0][:, 0] if len(ids) == 1 else None
        if leading not in (0, 1) or (leading == 1 and ids):
            raise UserError(
                f"{path} has {betas.shape[1]} trials, and StimulusMetadata.csv lists {len(trials)}"
            )
        if len(betas) != len(voxels):
            raise UserError(f"{path} has {len(betas)} voxels, and VoxelMetadata.csv lists {len(voxels)}")
        if numbers is not None and not np.array_equal(numbers, voxels["voxel_id"].to_numpy(float)):
            raise UserError(
                f"{path} and VoxelMetadata.csv list their voxels in another order: fetch them again"
            )
    if "trial_id" in trials.columns and not np.array_equal(
        trials["trial_id"].to_numpy(float), np.arange(len(trials))
    ):
        raise UserError(
            f"{path.parent}: the trials of StimulusMetadata.csv are not in the order of the responses"
        )
    return f"{frames[0]}/{wide[0]}", leading


def _kind(group: Any) -> bytes:
    kind = group.attrs.get("pandas_type", b"") if isinstance(group, h5py.Group) else b""
    return kind if isinstance(kind, bytes) else str(kind).encode()


def _getter(path: Path, place: str, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> Any:
    def get(which: slice, neuroids: slice) -> Floats:
        r, c = rows[which], columns[neuroids]
        if not len(r) or not len(c):
            return np.empty((len(r), len(c)), np.float32)
        with hdf5(path) as file:
            group, _, name = place.partition("/")
            stored = stored_array(file[group], name, (2,))
            taken = np.empty((len(c), len(r)), np.float32)
            low, high = int(r.min()), int(r.max()) + 1
            n = max(1, (64 << 20) // ((high - low) * stored.dtype.itemsize))
            first = 0
            while first < len(c):  # voxels that follow each other closely are read together
                last = first + 1
                while last < len(c) and c[last] - c[first] < n:
                    last += 1
                block = stored[int(c[first]) : int(c[last - 1]) + 1, low:high]
                taken[first:last] = block[c[first:last] - c[first]][:, r - low]
                first = last
        return taken.T

    return get


def _rows(trials: pd.DataFrame, options: ReadOptions) -> tuple[npt.NDArray[np.int64], dict[str, int]]:
    kinds = chosen("kind of trials", options.names("events"), list(_SHOWN), "events")
    kept = trials["trial_type"].isin(kinds).to_numpy()
    other = int((~trials["trial_type"].isin(_SHOWN)).sum())
    sessions = trials["session"].astype(int).astype(str)
    wanted = options.names("session")
    if wanted is not None:
        known = list(dict.fromkeys(sessions))
        asked = [one.removeprefix("ses-").lstrip("0") or one for one in wanted]
        kept &= sessions.isin(chosen("session", asked, known, "session")).to_numpy()
    rows = np.flatnonzero(kept)
    if not len(rows):
        raise UserError(f"no trial of {', '.join(kinds)} is left")
    return rows, {"trials that show no object": other} if other else {}


def _presentations(trials: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame({"stimulus_id": [_stem(one) for one in trials["stimulus"]]})
    table["repetition"] = table.groupby("stimulus_id").cumcount()
    table["session"] = [f"ses-{int(one):02d}" for one in trials["session"]]
    if "run" in trials.columns:
        runs = zip(table["session"], trials["run"], strict=True)
        table["run"] = [f"{session}_run-{int(run):02d}" for session, run in runs]
    return table


def _stem(name: object) -> str:
    return Path(str(name)).stem


def _neuroids(
    voxels: pd.DataFrame, subject: str, options: ReadOptions, folder: Path
) -> tuple[npt.NDArray[np.int64], pd.DataFrame, list[str]]:
    """The rows of the table that are taken, what is known of them, and what was done."""
    regions = [
        str(name)
        for name in voxels.columns
        if name not in _NO_REGION and set(pd.unique(voxels[name]).tolist()) <= {0, 1}
    ]
    wanted = options.names("region")
    if wanted is None:
        listed = ", ".join(regions[:12]) + (", ..." if len(regions) > 12 else "")
        raise UserError(
            f"{subject} has the regions {listed}: say which by --region; 'all' takes all {len(voxels)} voxels"
        )
    names = np.full(len(voxels), "", object)
    taken = [] if wanted == ["all"] else chosen("region", wanted, regions, "region")
    n_twice = 0
    for name in taken:
        inside = voxels[name].to_numpy() == 1
        n_twice += int((inside & (names != "")).sum())
        names[inside & (names == "")] = name
    if wanted == ["all"]:
        names[:] = "all"
    keep = np.flatnonzero(names != "")
    if not len(keep):
        raise UserError(f"no voxel of {subject} is in {', '.join(wanted)}")
    table = voxels.iloc[keep].reset_index(drop=True)
    ids = [f"{subject}-{int(one)}" for one in table["voxel_id"]]
    plain = [name for name in table.columns if name not in regions and name != "voxel_id"]
    table = table[plain].assign(neuroid_id=ids, region=names[keep], subject=subject)
    said = [f"{len(keep)} of {len(voxels)} voxels: {', '.join(wanted)}"]
    if n_twice:
        said += [f"{n_twice} voxels are in several of these regions and count for the first"]
    if "nc_singletrial" in table.columns:
        table["ncsnr"] = _ncsnr(table["nc_singletrial"].to_numpy(float), subject)
        said += ["ncsnr from nc_singletrial, the authors' noise ceiling of one trial in % of variance"]
    return keep, _positions(table, options.mask, said), said


def _ncsnr(percent: npt.NDArray[np.float64], subject: str) -> npt.NDArray[np.float64]:
    """The ratio of signal to noise sd of one trial: nc = 100 ncsnr^2 / (ncsnr^2 + 1)."""
    known = np.isfinite(percent)
    if ((percent[known] < 0) | (percent[known] >= 100)).any():
        worst = percent[known][np.abs(percent[known] - 50).argmax()]
        raise UserError(f"nc_singletrial of {subject} must be a percentage of variance, not {worst:g}")
    return np.sqrt(percent / (100 - percent))


def _positions(table: pd.DataFrame, mask: str | None, said: list[str]) -> pd.DataFrame:
    """Positions in mm where an image says where its voxels are."""
    at = [f"voxel_{axis}" for axis in "xyz"]
    if mask is None or not set(at) <= set(table.columns):
        said += ["no positions in mm: the tables have places in an image (--mask names it)"]
        return table
    path = Path(mask).expanduser()
    if not path.is_file():
        raise UserError(f"no mask at {path}")
    image = opened_image(path)
    places = table[at].to_numpy(np.int64)
    if (places < 0).any() or (places >= np.array(image.shape[:3])).any():
        raise UserError(f"{path} has shape {tuple(image.shape)}: voxels lie outside it: another space")
    if not (from_image(image)[tuple(places.T)] > 0).all():
        raise UserError(f"{path}: voxels lie where this mask is 0: it is not of these voxels")
    for axis, column in zip("xyz", in_mm(image.affine, places).T, strict=True):
        table[axis] = column
    return table


def _pictures(stimuli: pd.DataFrame, folder: str | None) -> tuple[dict[str, Path], str]:
    """Stimulus id -> picture in THINGS' folder, by concept or flat."""
    if folder is None:
        return (
            {},
            "no pictures: THINGS' folder of them is named by --stimuli; without it models can be shown nothing",
        )
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise UserError(f"no folder at {root}")
    concepts = stimuli["concept"].astype(str) if "concept" in stimuli.columns else [""] * len(stimuli)
    found, missing = {}, []
    for name, concept in zip(stimuli["stimulus"].astype(str), concepts, strict=True):
        stem = Path(name).stem.rsplit("_", 1)[0]
        places = [root / one / name for one in ("", concept, stem)] + [
            root / "object_images" / concept / name
        ]
        inside = [one for one in places if one.is_file() and one.resolve().is_relative_to(root.resolve())]
        if inside:
            found[_stem(name)] = inside[0]
        else:
            missing.append(name)
    if missing:
        raise UserError(f"{len(missing)} of {len(stimuli)} pictures are not in {root} (first: {missing[0]})")
    return found, f"pictures of {root}"
