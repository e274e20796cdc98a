"""The regions of voxels: atlases by number, masks of one region each, and nilearn's atlases by name."""

import fnmatch
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....bounded import require_for
from ....errors import NotAvailableError, UserError, first_line, unknown
from ...imported import ReadOptions
from .images import SUFFIXES, Grid, Image, check_grid, is_image, open_image

OUTSIDE = "voxels outside of every region"
_NUMBER_COLUMNS = ("index", "value", "number", "id", "key")
_NUMBERED = re.compile(r"(\d+)\s+(.+?)(?:(?:\s+[\d.]+){3,4}|\s+\d{4,})?")
"""A number, a name of one or more words, and a color (FreeSurfer) or another number (AAL)."""
_NAME_COLUMNS = ("name", "region", "label", "roi", "labels")
_OF_COLORS = re.compile(r"(r|g|b|a|red|green|blue|alpha|colou?r|hex)", re.IGNORECASE)
_BACKGROUND = ("background", "unknown", "???", "medial_wall", "none")
_RESAMPLE = "--resample nearest takes each voxel's nearest"
_TABLES = (".tsv", ".csv", ".ctab", ".txt")


@dataclass(frozen=True)
class Regions:
    """What atlases and region masks say of voxels.

    Attributes
    ----------
    columns : DataFrame
        One row a voxel: ``region``, and what else tables say.
    inside : array of bool
        The voxels to take.
    said : list of str
    left_out : mapping of str to int
    """

    columns: pd.DataFrame
    inside: npt.NDArray[np.bool_]
    said: list[str] = field(default_factory=list)
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Atlas:
    """Numbers by voxel and their names; or, of a mask, one name."""

    stem: str
    image: Image
    names: pd.DataFrame | None
    where: str
    template: str = ""


def regions_of(
    options: ReadOptions, voxels: npt.NDArray[np.intp], grid: Grid, of: str, folder: Path
) -> Regions:
    """The region of each voxel by ``--atlas``, ``--labels`` and ``--region``.

    Parameters
    ----------
    options : ReadOptions
    voxels : array of shape (n, 3)
        Voxel indices.
    grid : Grid
        Of the recording.
    of : str
        What the grid is called, for messages.
    folder : Path
        Where files that are named without a folder may lie.

    Returns
    -------
    Regions
        The first atlas gives ``region``, each further one a column of its own. Masks of one region each give it
        together: a voxel that lies in several is of the region ``A+B``, and there is a column a mask. With
        ``--region A`` all voxels of A are taken, and are A.

    Raises
    ------
    UserError
        For files that are not there, or lie on another grid without ``--resample nearest``.
    NotAvailableError
        For an atlas of nilearn that is neither in its data folder nor to be had from its address.
    """
    if options.resample not in (None, "nearest"):
        raise UserError(f"--resample must be nearest, not {options.resample!r}")
    named = options.names("atlas") or []
    if not named:
        if options.labels is not None:
            raise UserError("--labels names the numbers of an atlas: say which by --atlas")
        columns = pd.DataFrame(index=range(len(voxels)))
        if options.region is not None:
            columns["region"] = options.region
        return Regions(columns, np.ones(len(voxels), bool))
    atlases = _atlases(named, options.names("labels") or [], folder)
    numbers, is_mask, said = [], [], []
    for one in atlases:
        found, is_one = _at(one, voxels, grid, of, options.resample)
        numbers.append(found)
        is_mask.append(is_one)
        said += [f"atlas {one.stem}: of the space {one.template}"] if one.template else []
    if options.resample:
        said.append(f"atlases taken to the grid of {of}: the nearest voxel, by their mm")
    if all(is_mask) and len(atlases) > 1:
        columns, more = _of_masks(
            {one.stem: found > 0 for one, found in zip(atlases, numbers, strict=True)}, options
        )
    else:
        columns, more = _of_numbers(atlases, numbers, is_mask)
    inside = _taken(columns, options)
    n_outside = int((~inside).sum())
    if not inside.any():
        raise UserError(f"no voxel of {of} lies in a region of {', '.join(named)}")
    why = OUTSIDE if options.region is None else "voxels outside of the regions that were asked for"
    return Regions(columns, inside, said + more, {why: n_outside} if n_outside else {})


def _at(
    atlas: _Atlas, voxels: npt.NDArray[np.intp], grid: Grid, of: str, resample: str | None
) -> tuple[npt.NDArray[np.float64], bool]:
    """The number of an atlas at each voxel, and whether it is a mask of one region."""
    if resample is None:
        check_grid(atlas.image, grid, of, remedy=_RESAMPLE)
        places = voxels
    else:
        places = np.rint(atlas.image.grid.voxels(grid.places(voxels))).astype(np.intp)
    volume = np.nan_to_num(np.asarray(atlas.image.volume(), np.float64))
    if (volume % 1).any():
        raise UserError(
            f"{atlas.image.path.name} holds fractions: a region by number, or a mask of 0 and 1, is needed "
            "(a map of probabilities must be cut off first)"
        )
    held = ((places >= 0) & (places < atlas.image.grid.shape)).all(axis=1)
    found = np.zeros(len(voxels))
    found[held] = volume[tuple(places[held].T)]
    return found, atlas.names is None and len(np.unique(volume[volume != 0])) <= 1


def _of_masks(
    masks: Mapping[str, npt.NDArray[np.bool_]], options: ReadOptions
) -> tuple[pd.DataFrame, list[str]]:
    """One region each: ``A+B`` where they overlap, or the one that was asked for."""
    names = np.array(list(masks), object)
    held = np.array(list(masks.values())).T
    region = np.array(["+".join(names[row]) for row in held], object)
    wanted = options.names("region") or []
    for name in reversed(wanted):
        if name in masks:
            region[masks[name]] = name
    columns = pd.DataFrame({"region": region} | {f"in_{name}": inside for name, inside in masks.items()})
    n_shared = int((held.sum(axis=1) > 1).sum())
    said = [f"regions {', '.join(names)}, of a mask each"]
    if n_shared and not wanted:
        said.append(
            f"{n_shared} voxels lie in several regions, and are named after all of them (A+B): --region NAME takes "
            "all of one"
        )
    return columns, said


def _of_numbers(
    atlases: Sequence[_Atlas], numbers: Sequence[npt.NDArray[np.float64]], is_mask: Sequence[bool]
) -> tuple[pd.DataFrame, list[str]]:
    """The first atlas gives the region, the others a column each, with what their tables say."""
    columns, said = pd.DataFrame(index=range(len(numbers[0]))), []
    for place, (one, found) in enumerate(zip(atlases, numbers, strict=True)):
        name = "region" if place == 0 else f"region_{one.stem}"
        if is_mask[place]:
            columns[name] = np.where(found > 0, one.stem, "")
            said.append(f"{name}: {one.stem}, a mask")
            continue
        present = sorted(int(number) for number in np.unique(found) if number)
        known = {} if one.names is None else dict(zip(one.names["number"], one.names["name"], strict=True))
        nameless = [number for number in present if number not in known]
        called = {number: str(known.get(number, number)) for number in present}
        columns[name] = [called.get(int(number), "") for number in found]
        columns.loc[columns[name].str.lower().isin(_BACKGROUND), name] = ""
        said.append(f"{name}: {len(present)} numbers of {one.image.path.name}, {one.where}")
        if nameless and known:
            said.append(
                f"{len(nameless)} numbers of {one.image.path.name} have no name, and are called by themselves (first: "
                f"{nameless[0]})"
            )
        if one.names is not None:
            rows = one.names.drop_duplicates("number").set_index("number")
            for label in rows.columns.difference(["name"]):
                if label not in columns:
                    columns[label] = [rows[label].get(int(number), np.nan) for number in found]
    return columns, said


def _taken(columns: pd.DataFrame, options: ReadOptions) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = (columns["region"] != "").to_numpy()
    wanted = options.names("region")
    if wanted is None:
        return inside
    known = set(columns.loc[inside, "region"])
    chosen: set[str] = set()
    for name in wanted:
        found = {one for one in known if fnmatch.fnmatchcase(one, name)}
        if not found:
            raise unknown("region of the atlas", name, known)
        chosen |= found
    return columns["region"].isin(chosen).to_numpy()


def _atlases(named: Sequence[str], labels: Sequence[str], folder: Path) -> list[_Atlas]:
    found: list[_Atlas] = []
    for place, name in enumerate(named):
        path = _there(name, folder)
        if path is None:
            found.append(_of_nilearn(name))
        elif path.is_dir():
            inside = [one for one in sorted(path.iterdir()) if is_image(one)]
            if not inside:
                raise UserError(f"{path} holds no region mask (.nii, .nii.gz)")
            found += [_Atlas(stem_of(one), open_image(one), None, "a mask") for one in inside]
        else:
            image = open_image(path)
            table = _there(labels[place], folder) if place < len(labels) else _beside(path)
            if place < len(labels) and table is None:
                raise UserError(f"no table of labels at {labels[place]} (nor in {folder})")
            names = None if table is None else read_labels(table)
            where = "called by their numbers" if table is None else f"named by {table.name}"
            found.append(_Atlas(stem_of(path), image, names, where))
    twice = [one.stem for i, one in enumerate(found) if one.stem in {other.stem for other in found[:i]}]
    if twice:
        raise UserError(f"two atlases or masks are called {twice[0]!r}: rename a file")
    return found


def stem_of(path: Path) -> str:
    """The name of an image without its endings."""
    name = path.name
    for suffix in reversed(SUFFIXES):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def _there(name: str, folder: Path) -> Path | None:
    """A file or folder as it is named, or in the recording's own folder."""
    here = Path(name).expanduser()
    return next((one for one in (here, folder / name) if one.exists()), None)


def _beside(path: Path) -> Path | None:
    return next(
        (one for suffix in _TABLES if (one := path.with_name(stem_of(path) + suffix)).is_file()), None
    )


def read_labels(path: Path) -> pd.DataFrame:
    """The names of an atlas' numbers: ``number``, ``name``, and further columns.

    A table (``.tsv``, ``.csv``) with a column of numbers (``index``, ``value``, ...) and one of names (``name``,
    ``region``, ...), or FreeSurfer's color table (``.ctab``, ``.txt``): number, name and a color a line.

    Raises
    ------
    UserError
        For anything else, with what it has.
    """
    suffix = path.suffix.lower()
    if suffix in (".ctab", ".txt"):
        return _color_table(path)
    if suffix not in _TABLES:
        raise UserError(f"{path.name}: names of regions are read from {', '.join(_TABLES)}")
    table = _texts(path, "\t" if suffix == ".tsv" else ",")
    by_name = {str(name).lower(): str(name) for name in table.columns}
    number = next((by_name[one] for one in _NUMBER_COLUMNS if one in by_name), None)
    name = next((by_name[one] for one in _NAME_COLUMNS if one in by_name), None)
    if number is None or name is None:
        lacking = (_NUMBER_COLUMNS if number is None else _NAME_COLUMNS)[:2]
        raise UserError(
            f"{path.name} needs a column {' or '.join(lacking)}; it has {', '.join(map(str, table.columns[:8]))}"
        )
    return _checked(
        table.rename(columns={number: "number", name: "name"}).drop(
            columns=[one for one in table.columns if _OF_COLORS.fullmatch(str(one))]
        ),
        path,
    )


def _texts(path: Path, separator: str) -> pd.DataFrame:
    """A table whose cells stay as they are written, but for columns of numbers."""
    require_for(path, 8 * path.stat().st_size)
    try:
        table = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig"
        )
    except (OSError, ValueError) as error:  # pandas' and Unicode's own are ValueErrors
        raise UserError(f"{path} cannot be read as a table: {first_line(error)}") from error
    for name in table.columns:
        numbers = pd.to_numeric(table[name], errors="coerce")
        if numbers.notna().all() and str(name).lower() not in _NAME_COLUMNS:
            table[name] = numbers
    return table


def _color_table(path: Path) -> pd.DataFrame:
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({first_line(error)}): save it as UTF-8") from error
    for place, line in enumerate(lines, start=1):
        said = line.split("#")[0].strip()
        if not said:
            continue
        found = _NUMBERED.fullmatch(said) if len(said) < 500 else None
        if found is None:
            raise UserError(
                f"{path.name}: line {place} is {line.strip()[:60]!r}, and a number, a name and a color are needed"
            )
        rows.append((int(found[1]), found[2]))
    return _checked(pd.DataFrame(rows, columns=["number", "name"]), path)


def _checked(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    numbers = pd.to_numeric(table["number"], errors="coerce")
    if numbers.isna().any() or (numbers % 1).any():
        raise UserError(
            f"{path.name}: {int((numbers.isna() | (numbers % 1 != 0)).sum())} numbers of regions are no whole numbers"
        )
    table = table.assign(number=numbers.astype(int), name=table["name"].astype(str).str.strip())
    twice = table["number"][table["number"].duplicated()]
    if len(twice):
        raise UserError(f"{path.name} names the number {twice.iloc[0]} twice")
    if not len(table):
        raise UserError(f"{path.name} names no region")
    return table


def _of_nilearn(name: str) -> _Atlas:
    """``NAME`` or ``NAME:key=value:...`` by nilearn's fetcher, which downloads what its data folder lacks."""
    from nilearn import datasets

    fetchers = {
        one.removeprefix("fetch_atlas_"): getattr(datasets, one)
        for one in dir(datasets)
        if one.startswith("fetch_atlas_") and "surf" not in one
    }
    called, *words = name.split(":")
    if called not in fetchers:
        raise unknown("atlas (no file, and not of nilearn)", called, fetchers)
    fetch = fetchers[called]
    said = _arguments(called, words, inspect.signature(fetch))
    try:
        fetched: Any = fetch(**said, verbose=0)
    except (ValueError, TypeError) as error:
        raise UserError(f"--atlas {name}: {first_line(error)}") from error
    except Exception as error:  # the network, a proxy, a full disk, an archive: each has errors of its own
        raise NotAvailableError(
            f"atlas {called!r} is not in nilearn's folder ({datasets.get_data_dirs()[0]}; NILEARN_DATA names another) "
            f"and could not be downloaded ({type(error).__name__}): copy it there, or give its image by --atlas FILE"
        ) from error
    return _fetched(called, fetched)


def _arguments(called: str, words: Sequence[str], signature: inspect.Signature) -> dict[str, Any]:
    known = [
        one for one in signature.parameters if one not in ("data_dir", "base_url", "resume", "verbose", "url")
    ]
    said: dict[str, Any] = {}
    for word in words:
        key, sign, value = (part.strip() for part in word.partition("="))
        if not sign or key not in known:
            raise unknown(f"option of the atlas {called} (as {called}:key=value)", key, known)
        said[key] = int(value) if re.fullmatch(r"\d+", value) else value
    needed = [
        one
        for one in known
        if signature.parameters[one].default is inspect.Parameter.empty and one not in said
    ]
    if needed:
        raise UserError(f"the atlas {called} needs {needed[0]}: --atlas {called}:{needed[0]}=VALUE")
    return said


def _fetched(called: str, fetched: Any) -> _Atlas:
    maps = fetched.get("maps")
    if getattr(fetched, "atlas_type", "deterministic") != "deterministic" or maps is None:
        raise UserError(
            f"the atlas {called} is of probabilities: one that gives a voxel one region is needed"
        )
    if not isinstance(maps, str | Path):
        maps = maps.get_filename()
    if maps is None:
        raise UserError(f"the atlas {called} is no file: write it as one, and give it by --atlas FILE")
    image = open_image(Path(maps))
    table = fetched.get("lut")
    if table is None:
        labels = [one.decode() if isinstance(one, bytes) else str(one) for one in fetched.get("labels", [])]
        table = pd.DataFrame({"index": range(len(labels)), "name": labels})
    names = pd.DataFrame({"number": table["index"].astype(int), "name": table["name"].astype(str)})
    return _Atlas(called, image, names, "named by nilearn", str(fetched.get("template", "") or ""))
