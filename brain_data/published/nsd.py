"""The Natural Scenes Dataset's folders: betas a session, the design that says which picture, masks of regions.

``nsddata_betas/ppdata/SUBJECT/SPACE/VERSION/betas_sessionNN.hdf5`` holds `betas` as h5py shows them (trial, z, y, x), or
``.nii.gz`` (x, y, z, trial); fsaverage has ``lh.betas_sessionNN.mgh`` (or ``.mgz``). Whole numbers are 300 times the
percent signal change [known from public loaders, not seen in a true file]. Indices of the design begin at 1: the picture of
trial t is ``subjectim[subject, masterordering[t] - 1] - 1``, a place in ``imgBrick``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from math import prod
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pandas as pd
from nibabel.affines import apply_affine

from ...bounded import require_for_matlab
from ...errors import UserError, first_line
from ..imported import Imported, ReadOptions
from ..published_recording import chosen, only
from .arrays import Floats, MadeFiles, from_image, hdf5, in_pieces, opened_image, steps, stored_array, zscored

_TRIALS, _PICTURES, _SCALE = 750, 73_000, 300
_BEST = "betas_fithrf_GLMdenoise_RR"
_SESSION = re.compile(r"(lh\.)?betas_session(\d\d)\.(hdf5|nii\.gz|mgh|mgz)")
_ENDINGS = (".nii.gz", ".mgz", ".mgh")
_KEPT = 128 << 20


@dataclass(frozen=True)
class _Place:
    """Where one person's betas of a space lie, and what else there is of it."""

    root: Path
    subject: str
    space: str
    betas: Path

    @property
    def on_surface(self) -> bool:
        return not self.space.startswith("func")

    @property
    def regions(self) -> Path:
        if not self.on_surface:
            return self.root / "nsddata" / "ppdata" / self.subject / self.space / "roi"
        owner = self.subject if self.space == "nativesurface" else self.space
        return self.root / "nsddata" / "freesurfer" / owner / "label"

    @property
    def names(self) -> Path:
        return self.root / "nsddata" / "freesurfer" / self.subject / "label"


def read(path: Path, options: ReadOptions, about: Mapping[str, str]) -> Imported:
    """One person's betas as trials.

    Parameters
    ----------
    path : Path
        The folder that holds ``nsddata`` and ``nsddata_betas``.
    options : ReadOptions
        ``subject``; ``region``, a file of masks or one of its labels; ``space``; ``betas``, the GLM; ``events``
        (``shared1000`` takes the trials of the pictures that everybody saw); ``zscore``.
    about : mapping
        What the card says.

    Raises
    ------
    UserError
        For what is missing, damaged, or does not fit.
    """
    place, said = _place(path, options)
    sessions = _sessions(place, options)
    shape, affine = _shape(sessions[0][1], place)
    atlases = _Atlases(place, shape)
    flat, table, how = _neuroids(place, atlases, options, shape)
    read_each = [_reader(files, place, flat, shape) for _, files in sessions]
    design = _Design.of(path, place.subject)
    presentations = design.trials([number for number, _ in sessions])
    values: Any = in_pieces(read_each, [_TRIALS] * len(sessions), len(flat))
    said += [f"{len(sessions)} sessions of {_TRIALS} trials, {len(flat)} of {prod(shape)} places: {how}"]
    if _zscore(options):
        values = zscored(values, presentations["session"].to_numpy(object))
        said += ["each place z-scored within each session (--zscore none leaves it as it is)"]
    keep = design.wanted(presentations, options.events)
    if keep is not None:
        values, presentations = _rows(values, keep), presentations[keep].reset_index(drop=True)
        said += [f"the {len(keep)} trials of pictures that all eight people were shown"]
    shown = presentations["stimulus_id"].value_counts()
    presentations["repetition"] = presentations.groupby("stimulus_id").cumcount().to_numpy()
    said += [f"{len(shown)} pictures, shown {shown.min()} to {shown.max()} times"]
    stimuli = design.stimuli(presentations["stimulus_id"].unique())
    pictures = _pictures(path, stimuli["stimulus_id"])
    if pictures:
        stimuli["filename"] = [f"{name}.png" for name in stimuli["stimulus_id"]]
    else:
        said += ["no nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5: models cannot be shown the pictures"]
    table, ncsnr_said = _with_ncsnr(table, sessions[0][1][0], place, flat, shape)
    scale = {} if _zscore(options) else {"units": "% signal change"}
    return Imported(
        stimuli=stimuli,
        values=values,
        presentations=presentations,
        neuroids=table,
        pictures=pictures,
        modality="vision",
        about={**about, **scale, "space": f"{place.subject} {place.space}"},
        images={} if affine is None else _mask(flat, shape, affine),
        said=[*said, ncsnr_said],
    )


def _zscore(options: ReadOptions) -> bool:
    if options.zscore not in (None, "session", "none"):
        raise UserError(f"--zscore must be 'session' or 'none', not {options.zscore!r}")
    return options.zscore != "none"


def _place(path: Path, options: ReadOptions) -> tuple[_Place, list[str]]:
    folder = path / "nsddata_betas" / "ppdata"
    subjects = [one for one in _folders(folder) if one.startswith("subj")]
    if not subjects:
        raise UserError(f"{folder} holds no subject (subj01, ...)")
    subject = only("subject", chosen("subject", options.names("subject"), subjects, "subject"), "subject")
    spaces = _folders(folder / subject)
    space = only("space", chosen("space", options.names("space"), spaces, "space"), "space")
    versions = _folders(folder / subject / space)
    asked = None if options.betas is None else [f"betas_{options.betas.removeprefix('betas_')}"]
    if asked is None and _BEST in versions:
        asked = [_BEST]
    version = only("GLM", chosen("GLM", asked, versions, "betas"), "betas")
    return _Place(path, subject, space, folder / subject / space / version), [
        f"{subject}, {space}, {version}"
    ]


def _folders(path: Path) -> list[str]:
    return sorted(one.name for one in path.iterdir() if one.is_dir()) if path.is_dir() else []


def _sessions(place: _Place, options: ReadOptions) -> list[tuple[int, list[Path]]]:
    """Number and files of each session, those of a hemisphere left then right."""
    found: dict[int, list[Path]] = {}
    for path in sorted(place.betas.iterdir()):
        matched = _SESSION.fullmatch(path.name)
        if matched and bool(matched[1]) == place.on_surface:
            if int(matched[2]) in found:
                raise UserError(
                    f"{place.betas} has session {matched[2]} twice ({found[int(matched[2])][0].name}, {path.name}): "
                    "leave one of them"
                )
            other = path.with_name(f"rh{path.name[2:]}")
            if matched[1] and not other.is_file():
                raise UserError(f"{place.betas} has {path.name} without {other.name}")
            found[int(matched[2])] = [path, other] if matched[1] else [path]
    if not found:
        raise UserError(f"{place.betas} holds no betas_session01.hdf5, .nii.gz, or lh.betas_session01.mgh")
    wanted = options.names("session")
    if wanted is not None:
        numbers = [re.sub(r"\D", "", one) or one for one in wanted]
        known = {str(number): number for number in found}
        picked = chosen("session", [one.lstrip("0") or one for one in numbers], list(known), "session")
        found = {known[one]: found[known[one]] for one in picked}
    return sorted(found.items())


def _shape(files: list[Path], place: _Place) -> tuple[tuple[int, ...], Any]:
    """The shape of one trial, and the affine of a volume."""
    if place.on_surface:
        return (sum(_stored_shape(path, 1)[0] for path in files),), None
    shape = _stored_shape(files[0], 3)
    if not files[0].name.endswith(".hdf5"):
        return shape, opened_image(files[0]).affine
    beside = sorted(place.regions.glob("*.nii.gz"))
    return shape, opened_image(beside[0]).affine if beside else None


def _stored_shape(path: Path, n_dims: int) -> tuple[int, ...]:
    """The shape of one trial of a file, x first.

    Raises
    ------
    UserError
        For another number of dimensions or trials.
    """
    if path.name.endswith(".hdf5"):
        with hdf5(path) as file:
            if "betas" not in file:
                raise UserError(f"{path} holds {', '.join(file) or 'nothing'}, not 'betas'")
            shape = tuple(stored_array(file, "betas", (n_dims + 1,)).shape[::-1])
    else:
        image = opened_image(path)
        shape = tuple(image.shape)
        if n_dims == 1:
            shape = (shape[0], *shape[3:])
    if len(shape) != n_dims + 1 or shape[-1] != _TRIALS:
        n_trials = shape[-1] if len(shape) == n_dims + 1 else 0
        raise UserError(f"{path} has {n_trials} trials (shape {shape}): a session of NSD has {_TRIALS}")
    return shape[:-1]


class _Atlases:
    """The masks and atlases of a space, each as whole numbers of every place."""

    def __init__(self, place: _Place, shape: tuple[int, ...]) -> None:
        self.place, self.shape = place, shape
        paths = sorted(place.regions.iterdir()) if place.regions.is_dir() else []
        named = [
            (path.name.removesuffix(end), path)
            for path in paths
            for end in _ENDINGS
            if path.name.endswith(end)
        ]
        if place.on_surface:
            both = {name[3:] for name, _ in named if name.startswith("lh.")}
            named = [(name[3:], path) for name, path in named if name[3:] in both and name.startswith("lh.")]
        self.paths = dict(named)
        self._read: dict[str, npt.NDArray[np.int64]] = {}

    def numbers(self, name: str) -> npt.NDArray[np.int64]:
        """What an atlas says of each place, in C order."""
        if name not in self._read:
            path = self.paths[name]
            both = [path, path.with_name(f"rh{path.name[2:]}")] if self.place.on_surface else [path]
            parts = [from_image(opened_image(one)) for one in both]
            shape = parts[0].shape if len(parts) == 1 else (sum(part.size for part in parts),)
            if tuple(shape) != self.shape:
                raise UserError(
                    f"{path} has shape {tuple(shape)}, the betas have {self.shape}: another space"
                )
            flat = np.concatenate([part.ravel() for part in parts])
            self._read[name] = np.nan_to_num(flat, nan=-1).round().astype(np.int64)
        return self._read[name]

    def labels(self, name: str) -> dict[int, str]:
        """Number -> label, of the color table where there is one; a mask is its own label."""
        table = self.place.names / f"{name.removeprefix('lh.').removeprefix('rh.')}.mgz.ctab"
        if not table.is_file():
            found = np.unique(self.numbers(name))
            above = found[found > 0].tolist()
            return {1: name} if above == [1] else {one: f"{name}-{one}" for one in above}
        labels = {}
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            matched = re.match(r"\s*(\d+)\s+(\S+)", line)
            if matched and int(matched[1]) > 0:
                labels[int(matched[1])] = matched[2]
        return labels

    def find(self, wanted: str) -> tuple[str, list[int], list[str]]:
        """The atlas, numbers and labels of a region by the name of its file, or of one label."""
        if wanted in self.paths:
            labels = self.labels(wanted)
            return wanted, list(labels), list(labels.values())
        whole = [name for name in self.paths if not name.startswith(("lh.", "rh."))]
        found = [
            (name, number) for name in whole for number, label in self.labels(name).items() if label == wanted
        ]
        if not found:
            known = [
                *whole,
                *(label for name in whole for label in self.labels(name).values() if label != name),
            ]
            chosen("region", [wanted], known, "region")
        if len(found) > 1:
            listed = ", ".join(name for name, _ in found)
            raise UserError(f"region {wanted!r} is in {listed}: say which of these files by --region")
        return found[0][0], [found[0][1]], [wanted]


def _neuroids(
    place: _Place, atlases: _Atlases, options: ReadOptions, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], pd.DataFrame, str]:
    """The places that are taken, in C order, their table, and how they were chosen."""
    region, how = np.full(prod(shape), "", object), ""
    if options.mask is not None:
        region[_masked(place, options.mask, shape)] = options.region or "brain"
        how = f"the mask {options.mask}"
    else:
        wanted = options.names("region")
        if wanted is None and "nsdgeneral" not in atlases.paths:
            raise UserError(
                f"{place.regions} has no nsdgeneral: say the region by --region ({', '.join(list(atlases.paths)[:8])}), or "
                "--mask brain"
            )
        for name in wanted or ["nsdgeneral"]:
            atlas, numbers, labels = atlases.find(name)
            for number, label in zip(numbers, labels, strict=True):
                region[(atlases.numbers(atlas) == number) & (region == "")] = label
        how = f"region {', '.join(wanted or ['nsdgeneral'])}" + ("" if wanted else " (the default)")
    flat = np.flatnonzero(region != "")
    if not len(flat):
        raise UserError(f"{how} takes no place of {place.regions}")
    table = _table(place, flat, shape).assign(region=region[flat], subject=place.subject)
    for name in atlases.paths:
        if not name.startswith(("lh.", "rh.")) and name in ("nsdgeneral", "prf-visualrois", "streams"):
            labels_of = atlases.labels(name)
            table[name] = [labels_of.get(int(one), "none") for one in atlases.numbers(name)[flat]]
    return flat, table, how


def _masked(place: _Place, mask: str, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    path = Path(mask).expanduser()
    if mask == "brain":
        path = place.regions.parent / "brainmask.nii.gz"
    if not path.is_file():
        raise UserError(f"no mask at {path}")
    image = opened_image(path)
    if tuple(image.shape) != shape:
        raise UserError(f"{path} has shape {tuple(image.shape)}, the betas have {shape}: another space")
    return np.asarray(from_image(image)).ravel() > 0


def _table(place: _Place, flat: npt.NDArray[np.int64], shape: tuple[int, ...]) -> pd.DataFrame:
    if len(shape) == 1:
        n_left = _stored_shape(next(iter(sorted(place.betas.glob("lh.betas_session*")))), 1)[0]
        left = flat < n_left
        vertex = np.where(left, flat, flat - n_left)
        names = [f"{'lh' if one else 'rh'}-{number}" for one, number in zip(left, vertex, strict=True)]
        return pd.DataFrame({"neuroid_id": names, "hemisphere": np.where(left, "L", "R"), "vertex": vertex})
    i, j, k = (one.tolist() for one in np.unravel_index(flat, shape))
    table = pd.DataFrame({"neuroid_id": [f"{a}-{b}-{c}" for a, b, c in zip(i, j, k, strict=True)]})
    beside = sorted(place.regions.glob("*.nii.gz"))
    if beside:
        at = apply_affine(opened_image(beside[0]).affine, np.stack(np.unravel_index(flat, shape), axis=1))
        for axis, column in zip("xyz", at.T, strict=True):
            table[axis] = column
    return table


def _mask(flat: npt.NDArray[np.int64], shape: tuple[int, ...], affine: Any) -> MadeFiles:
    def make(_key: str, path: Path) -> None:
        values = np.zeros(prod(shape), np.uint8)
        values[flat] = 1
        nibabel.save(nibabel.Nifti1Image(values.reshape(shape), affine), path)  # type: ignore[attr-defined,no-untyped-call]

    return MadeFiles({"mask": "mask.nii.gz"}, make)


def _reader(
    files: list[Path], place: _Place, flat: npt.NDArray[np.int64], shape: tuple[int, ...]
) -> Callable[[int, int], Floats]:
    """``read(first, last)`` of a session; one that is small enough stays in memory until the next is read."""
    if place.on_surface:
        sizes = [_stored_shape(path, 1)[0] for path in files]
        if sum(sizes) != shape[0]:
            raise UserError(
                f"{files[0]} has {sum(sizes)} vertices with its other hemisphere, the others {shape[0]}"
            )
        parts = [flat[flat < sizes[0]], flat[flat >= sizes[0]] - sizes[0]]

        def plain(first: int, last: int) -> Floats:
            read = [_of_surface(*one, first, last) for one in zip(files, parts, strict=True)]
            return np.concatenate(read, axis=1)
    else:
        if (found := _stored_shape(files[0], 3)) != shape:
            raise UserError(f"{files[0]} has shape {found}, the first session {shape}: another space")
        plain = partial(_of_volume, files[0], np.stack(np.unravel_index(flat, shape)))
    if _TRIALS * len(flat) * 4 > _KEPT:
        return plain
    return lambda first, last: _whole(plain)[first:last]


@lru_cache(maxsize=1)
def _whole(plain: Callable[[int, int], Floats]) -> Floats:
    return plain(0, _TRIALS)


def _percent(values: npt.NDArray[Any]) -> Floats:
    """Whole numbers are 300 times the percent signal change."""
    return values.astype(np.float32) / (_SCALE if values.dtype.kind in "iu" else 1)


def _of_volume(path: Path, at: npt.NDArray[np.int64], first: int, last: int) -> Floats:
    """Rows first to last of (trial, place), through the least box that holds the places."""
    low, high = at.min(axis=1), at.max(axis=1) + 1
    inside = tuple(at - low[:, None])
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    taken = np.empty((last - first, at.shape[1]), np.float32)
    each = prod(int(one) for one in high - low) * 4
    if path.name.endswith(".hdf5"):
        with hdf5(path) as file:
            stored = stored_array(file, "betas", (4,))
            for start, stop in steps(first, last, each):
                block = stored[(slice(start, stop), *box[::-1])].transpose(0, 3, 2, 1)
                taken[start - first : stop - first] = _percent(block[(slice(None), *inside)])
        return taken
    image = opened_image(path)
    for start, stop in steps(first, last, each):
        block = from_image(image, *box, slice(start, stop))
        taken[start - first : stop - first] = _percent(block[inside].T)
    return taken


def _of_surface(path: Path, vertices: npt.NDArray[np.int64], first: int, last: int) -> Floats:
    taken = np.empty((last - first, len(vertices)), np.float32)
    for start, stop in steps(first, last, _stored_shape(path, 1)[0] * 4):
        if path.name.endswith(".hdf5"):
            with hdf5(path) as file:
                block = stored_array(file, "betas", (2,))[start:stop].T
        else:
            block = from_image(opened_image(path), slice(None), slice(None), slice(None), slice(start, stop))[
                :, 0, 0
            ]
        taken[start - first : stop - first] = _percent(block[vertices].T)
    return taken


def _rows(values: Any, keep: npt.NDArray[np.int64]) -> Any:
    from ..imported import Computed

    def get(rows: slice, neuroids: slice) -> Floats:
        wanted = keep[rows]
        blocks = np.split(wanted, np.flatnonzero(np.diff(wanted) > 64) + 1) if len(wanted) else []
        parts = [values[slice(int(one[0]), int(one[-1]) + 1), neuroids][one - one[0]] for one in blocks]
        return np.concatenate(parts) if parts else np.asarray(values[slice(0, 0), neuroids])

    return Computed((len(keep), values.shape[1]), get)


@dataclass(frozen=True)
class _Design:
    """Which picture was shown in which trial, all indices from 0."""

    order: npt.NDArray[np.int64]
    pictures: npt.NDArray[np.int64]
    shared: frozenset[int]

    @classmethod
    def of(cls, root: Path, subject: str) -> "_Design":
        """The design of ``nsd_expdesign.mat``.

        Raises
        ------
        UserError
            Where it is missing, damaged, or its indices are not those of NSD.
        """
        from scipy.io import loadmat

        path = root / "nsddata" / "experiments" / "nsd" / "nsd_expdesign.mat"
        if not path.is_file():
            raise UserError(f"{path} is missing: it says which picture was shown in which trial")
        require_for_matlab(path)
        names = ("masterordering", "subjectim", "sharedix")
        try:
            held = loadmat(path, variable_names=names)
        except Exception as error:  # scipy raises whatever its parser does
            raise UserError(f"{path} cannot be read ({first_line(error)}): fetch it again") from error
        absent = [name for name in names if name not in held or held[name].dtype.kind not in "iuf"]
        if absent:
            raise UserError(f"{path} holds no numbers called {absent[0]!r}")
        order, pictures, shared = (np.asarray(held[name]).astype(np.int64) for name in names)
        number = int(re.sub(r"\D", "", subject) or 0)
        if pictures.ndim != 2 or not 1 <= number <= len(pictures):
            raise UserError(f"{path}: subjectim has shape {pictures.shape}: no row for {subject}")
        bounds = ((order, pictures.shape[1]), (pictures, _PICTURES), (shared, _PICTURES))
        for name, (values, most) in zip(names, bounds, strict=True):
            if values.size == 0 or values.min() < 1 or values.max() > most:
                raise UserError(
                    f"{path}: {name} goes from {values.min()} to {values.max()}: its indices must be from 1 to {most}"
                )
        return cls(order.ravel() - 1, pictures[number - 1] - 1, frozenset((shared.ravel() - 1).tolist()))

    def trials(self, sessions: list[int]) -> pd.DataFrame:
        """One row a trial of these sessions, which are counted from 1."""
        rows = np.concatenate([np.arange((one - 1) * _TRIALS, one * _TRIALS) for one in sessions])
        if rows[-1] >= len(self.order):
            raise UserError(
                f"session {sessions[-1]} goes beyond the design's {len(self.order)} trials of {_TRIALS} a session"
            )
        shown = self.pictures[self.order[rows]]
        return pd.DataFrame(
            {
                "stimulus_id": [f"nsd{one:05d}" for one in shown],
                "session": np.repeat([f"session{one:02d}" for one in sessions], _TRIALS).astype(object),
                "trial": rows % _TRIALS,
            }
        )

    def wanted(self, trials: pd.DataFrame, events: str | None) -> npt.NDArray[np.int64] | None:
        """The rows that were asked for; None for all."""
        if events in (None, "all"):
            return None
        chosen("kind of trials", [str(events)], ["all", "shared1000"], "events")
        keep = np.flatnonzero([int(one[3:]) in self.shared for one in trials["stimulus_id"]])
        if not len(keep):
            raise UserError(
                "no trial of these sessions shows one of the shared 1000 pictures: take further sessions"
            )
        return keep

    def stimuli(self, shown: npt.NDArray[Any]) -> pd.DataFrame:
        """One row a picture, with ``shared1000``."""
        names = sorted(map(str, shown))
        shared = ["yes" if int(one[3:]) in self.shared else "no" for one in names]
        return pd.DataFrame({"stimulus_id": names, "shared1000": shared})


def _pictures(root: Path, names: "pd.Series[Any]") -> Mapping[str, Path]:
    """The pictures that were shown, each cut out of ``nsd_stimuli.hdf5`` when it is asked for."""
    path = root / "nsddata_stimuli" / "stimuli" / "nsd" / "nsd_stimuli.hdf5"
    if not path.is_file():
        return {}
    last = max(int(one[3:]) for one in names)
    with hdf5(path) as file:
        if "imgBrick" not in file:
            raise UserError(f"{path} holds {', '.join(file) or 'nothing'}, not 'imgBrick'")
        stored = stored_array(file, "imgBrick", (4,))
        if stored.dtype != np.uint8 or stored.shape[-1] != 3 or stored.shape[0] <= last:
            raise UserError(
                f"{path}: imgBrick has shape {stored.shape} ({stored.dtype}): picture {last} is not in it, or it is none"
            )

    def make(name: str, target: Path) -> None:
        from PIL import Image

        with hdf5(path) as file:
            Image.fromarray(stored_array(file, "imgBrick", (4,))[int(name[3:])]).save(target, format="PNG")

    return MadeFiles({name: f"{name}.png" for name in names}, make)


def _with_ncsnr(
    table: pd.DataFrame, betas: Path, place: _Place, flat: npt.NDArray[np.int64], shape: tuple[int, ...]
) -> tuple[pd.DataFrame, str]:
    """The noise ceiling's signal-to-noise ratio of each place, which lies beside the betas."""
    names = ["lh.ncsnr", "rh.ncsnr"] if place.on_surface else ["ncsnr"]
    found = [betas.parent / f"{name}{end}" for name in names for end in _ENDINGS]
    found = [path for path in found if path.is_file()]
    if len(found) != len(names):
        return table, f"no {' and '.join(names)} beside the betas: no noise ceiling of the authors"
    parts = [np.asarray(from_image(opened_image(path)), np.float32).ravel() for path in found]
    values = np.concatenate(parts)
    if values.size != prod(shape):
        raise UserError(f"{found[0]} has {values.size} places, the betas have {prod(shape)}: another space")
    return table.assign(ncsnr=values[flat]), "ncsnr of the authors, of single trials"
