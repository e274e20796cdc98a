"""The Natural Scenes Dataset's folders: betas a session, the design that says which picture, masks of regions.

``nsddata_betas/ppdata/SUBJECT/SPACE/VERSION/betas_sessionNN.hdf5`` holds `betas`, which h5py shows as (trial,
z, y, x), or ``.nii.gz`` (x, y, z, trial); fsaverage has ``lh.betas_sessionNN.mgh`` (or ``.mgz``). Whole
numbers are 300 times the percent signal change [known from public loaders, not seen in a true file]. Indices
of the design begin at 1: the picture of trial t is ``subjectim[subject, masterordering[t] - 1] - 1``, a place
in ``imgBrick``.
"""

import re
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..imported import Imported
from ..published_recording import chosen, only
from ..read_options import ReadOptions
from .arrays import Floats, in_pieces, opened_image, zscored
from .nsd_betas import N_TRIALS, reader, trial_shape
from .nsd_design import Design, pictures_of
from .nsd_regions import Atlases, Place, mask_image, neuroids_of, with_ncsnr

_BEST = "betas_fithrf_GLMdenoise_RR"
_SESSION = re.compile(r"(lh\.)?betas_session(\d\d)\.(hdf5|nii\.gz|mgh|mgz)")


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
    atlases = Atlases(place, shape)
    flat, table, how = neuroids_of(place, atlases, options, shape)
    read_each = [reader(files, place.on_surface, flat, shape) for _, files in sessions]
    design = Design.of(path, place.subject)
    presentations = design.trials([number for number, _ in sessions])
    values: Any = in_pieces(read_each, [N_TRIALS] * len(sessions), len(flat))
    said += [f"{len(sessions)} sessions of {N_TRIALS} trials, {len(flat)} of {prod(shape)} places: {how}"]
    if _zscore(options):
        values = zscored(values, presentations["session"].to_numpy(object))
        said += ["each place z-scored within each session (--zscore none leaves it as it is)"]
    keep = design.wanted(presentations, options.events)
    if keep is not None:
        values, presentations = _rows(values, keep), presentations.iloc[keep].reset_index(drop=True)
        said += [f"the {len(keep)} trials of pictures that all eight people were shown"]
    shown = presentations["stimulus_id"].value_counts()
    presentations["repetition"] = presentations.groupby("stimulus_id").cumcount().to_numpy()
    said += [f"{len(shown)} pictures, shown {shown.min()} to {shown.max()} times"]
    stimuli = design.stimuli(presentations["stimulus_id"].unique())
    pictures = pictures_of(path, stimuli["stimulus_id"])
    if pictures:
        stimuli["filename"] = [f"{name}.png" for name in stimuli["stimulus_id"]]
    else:
        said += ["no nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5: models cannot be shown the pictures"]
    table, ncsnr_said = with_ncsnr(table, sessions[0][1][0], place, flat, shape)
    scale = {} if _zscore(options) else {"units": "% signal change"}
    return Imported(
        stimuli=stimuli,
        values=values,
        presentations=presentations,
        neuroids=table,
        pictures=pictures,
        modality="vision",
        about={**about, **scale, "space": f"{place.subject} {place.space}"},
        images={} if affine is None else mask_image(flat, shape, affine),
        said=[*said, ncsnr_said],
    )


def _zscore(options: ReadOptions) -> bool:
    if options.zscore not in (None, "session", "none"):
        raise UserError(f"--zscore must be 'session' or 'none', not {options.zscore!r}")
    return options.zscore != "none"


def _place(path: Path, options: ReadOptions) -> tuple[Place, list[str]]:
    folder = path / "nsddata_betas" / "ppdata"
    subjects = [one for one in _folders(folder) if one.startswith("subj")]
    if not subjects:
        raise UserError(f"{folder} holds no subject (subj01, ...)")
    subject = only("subjects", chosen("subject", options.names("subject"), subjects, "subject"), "subject")
    spaces = _folders(folder / subject)
    space = only("spaces", chosen("space", options.names("space"), spaces, "space"), "space")
    versions = _folders(folder / subject / space)
    asked = None if options.betas is None else [f"betas_{options.betas.removeprefix('betas_')}"]
    if asked is None and _BEST in versions:
        asked = [_BEST]
    version = only("GLMs", chosen("GLM", asked, versions, "betas"), "betas")
    return Place(path, subject, space, folder / subject / space / version), [f"{subject}, {space}, {version}"]


def _folders(path: Path) -> list[str]:
    return sorted(one.name for one in path.iterdir() if one.is_dir()) if path.is_dir() else []


def _sessions(place: Place, options: ReadOptions) -> list[tuple[int, list[Path]]]:
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


def _shape(files: list[Path], place: Place) -> tuple[tuple[int, ...], Any]:
    """The shape of one trial, and the affine of a volume."""
    if place.on_surface:
        return (sum(trial_shape(path, 1)[0] for path in files),), None
    shape = trial_shape(files[0], 3)
    if not files[0].name.endswith(".hdf5"):
        return shape, opened_image(files[0]).affine
    beside = sorted(place.regions.glob("*.nii.gz"))
    return shape, opened_image(beside[0]).affine if beside else None


def _rows(values: Any, keep: npt.NDArray[np.int64]) -> Any:
    from ..imported import Computed

    def get(rows: slice, neuroids: slice) -> Floats:
        wanted = keep[rows]
        blocks = np.split(wanted, np.flatnonzero(np.diff(wanted) > 64) + 1) if len(wanted) else []
        parts = [values[slice(int(one[0]), int(one[-1]) + 1), neuroids][one - one[0]] for one in blocks]
        return np.concatenate(parts) if parts else np.asarray(values[slice(0, 0), neuroids])

    return Computed((len(keep), values.shape[1]), get)
