"""Folders of recordings as they should be, and spoiled ones: bytes, cells, columns, arrays, attributes, entries."""

import random
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse
import xarray as xr
from PIL import Image

N, R, T = 8, 3, 4
FORMATS = ("csv", "tsv", "npz", "nc", "mat")
CELLS = (
    "",
    "NA",
    "None",
    "n/a",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1,234.5",
    "0,5",
    '"',
    '"a',
    "a\nb",
    "\0",
    "é",
    "01",
    "true",
    "2026-01-01",
    "../../x.png",
    "/etc/passwd",
    "=1+1",
    " ",
    "x" * 500,
    "9" * 40,
    "0x10",
    "1_000",
    "-1",
    ";",
    "\t",
    "\ufeff",
)
NAMES = (
    "",
    "stimulus_id",
    "trial",
    "onset",
    "time",
    "Unnamed: 0",
    "session",
    "subject",
    "repetition",
    "run",
    "group",
    "region",
    "filename",
    "sentence",
    "neuroid_id",
    "x",
    "responses",
    "v0",
    "a,b",
    "category",
    "index",
    "é",
    " ",
    "ncsnr",
)
ENTRIES = (
    "modality = 3",
    'modality = "language"',
    "has_stimuli = false",
    'columns = { stimulus_id = "item" }',
    'columns = { trial = "ignore" }',
    "columns = { x = 1 }",
    "columns = 3",
    'columns = { session = "run" }',
    "n_stimuli = -1",
    'regions = ["V1"]',
    "regions = [1, 2]",
    "region = ''",
    "[published_ceilings.V1]\nvalue = nan",
    "[published_ceilings]\nV1 = [1]",
    "[",
    "\0",
    'units = "days"',
    'space = "MNI152"',
    "simulated = 1",
    '"" = 1',
    'title = "\\u0000"',
    "published_ceilings = 1",
    'source = """\na\n"""',
    "= 1",
)
ATTRIBUTES = (
    ("units", "days"),
    ("units", "seconds since 2000-01-01"),
    ("units", 3),
    ("scale_factor", 2.0),
    ("scale_factor", "mV"),
    ("add_offset", "x"),
    ("missing_value", 1.5),
    ("missing_value", "x"),
    ("dtype", "timedelta64[ns]"),
    ("dtype", "bool"),
    ("calendar", "none"),
    ("coordinates", "nowhere"),
    ("coordinates", 3),
    ("_Unsigned", "true"),
    ("grid_mapping", "x"),
    ("_Encoding", "nonsense"),
    ("valid_range", "x"),
)


def write_folder(folder: Path, file_format: str, draw: random.Random) -> dict[str, np.ndarray]:
    """A sound folder; its arrays."""
    rng = np.random.default_rng(draw.randrange(1 << 30))
    ids = [f"s{i}" for i in range(N)]
    table = pd.DataFrame({"stimulus_id": ids, "category": ["a", "None", "NA", "b"] * 2, "length": range(N)})
    if draw.random() < 0.3:
        (folder / "stimuli").mkdir()
        for i in range(N):
            Image.new("RGB", (4, 4), (9 * i, 0, 0)).save(folder / "stimuli" / f"{i}.png")
        table["filename"] = [f"{i}.png" for i in range(N)]
    else:
        table["sentence"] = [f"Text, number {i}." for i in range(N)]
    table.to_csv(folder / "stimuli.csv", index=False)
    arrays = {
        "responses": rng.normal(size=(N * R, T)),
        "stimulus_id": np.repeat(ids, R),
        "repetition": np.tile(np.arange(R), N),
        "neuroid_id": np.array([f"v{i}" for i in range(T)]),
        "region": np.array(["V1", "V1", "IT", "IT"]),
        "x": np.arange(4.0),
    }
    optional = {
        "session": np.tile(np.arange(R), N),
        "run": np.repeat(np.arange(4), N * R // 4),
        "subject": np.tile(["A", "B", "B"], N),
    }
    for name, values in optional.items():
        if draw.random() < 0.3:
            arrays[name] = values
    if file_format in ("csv", "tsv") or draw.random() < 0.4:
        neuroids = pd.DataFrame({name: arrays.pop(name) for name in ("region", "x")})
        neuroids.insert(0, "neuroid_id", arrays["neuroid_id"])
        neuroids.to_csv(folder / "neuroids.csv", index=False)
    if draw.random() < 0.4:
        (folder / "dataset.toml").write_text('units = "spikes/s"\n[published_ceilings.V1]\nvalue = 0.5\n')
    write_responses(folder, file_format, arrays, draw)
    return arrays


def write_responses(
    folder: Path, file_format: str, arrays: dict[str, np.ndarray], draw: random.Random
) -> None:
    """Whatever arrays there are, as far as the format can hold them."""
    path = folder / f"responses.{file_format}"
    if file_format in ("csv", "tsv"):
        shown = {
            name: arrays[name]
            for name in ("stimulus_id", "repetition", "run", "session", "subject")
            if name in arrays
        }
        values = pd.DataFrame(np.atleast_2d(arrays.get("responses", np.zeros((N * R, T)))))
        values.columns = [f"v{i}" for i in range(values.shape[1])]
        columns = pd.DataFrame({name: pd.Series(list(np.ravel(one))) for name, one in shown.items()})
        pd.concat([columns, values], axis=1).to_csv(
            path, sep="," if file_format == "csv" else "\t", index=False
        )
    elif file_format == "npz":
        (np.savez if draw.random() < 0.5 else np.savez_compressed)(path, **arrays)
    elif file_format == "mat":
        cells = {
            name: one.astype(object) if one.dtype.kind in "US" and draw.random() < 0.7 else one
            for name, one in arrays.items()
        }
        if draw.random() < 0.2 and "responses" in cells and np.ndim(cells["responses"]) == 2:
            cells["responses"] = scipy.sparse.csc_matrix(cells["responses"])
        scipy.io.savemat(
            path, {"data": cells} if draw.random() < 0.3 else cells, do_compression=draw.random() < 0.5
        )
    else:
        sizes = {N * R: "presentation", T: "neuroid"}
        stored = {
            name: (tuple(sizes.get(n, f"dim{n}") for n in one.shape), one)
            for name, one in arrays.items()
            if len({sizes.get(n, n) for n in one.shape}) == one.ndim
        }
        made = xr.Dataset(stored)
        if draw.random() < 0.5:
            name = draw.choice(list(stored))
            key, value = draw.choice(ATTRIBUTES)
            odd = made.copy()
            odd[name].attrs[key] = value
            try:
                odd.to_netcdf(path, engine="netcdf4")
                return
            except Exception:  # xarray does not write every attribute
                path.unlink(missing_ok=True)
        made.to_netcdf(path, engine="netcdf4")


def spoil(folder: Path, file_format: str, arrays: dict[str, np.ndarray], draw: random.Random) -> None:
    """Spoil one thing."""
    files = [path for path in folder.iterdir() if path.is_file()]
    tables = [path for path in files if path.suffix in (".csv", ".tsv")]
    kind = draw.choice(("bytes", "cell", "cell", "column", "line", "array", "array", "entry", "file"))
    if kind == "bytes":
        spoil_bytes(draw.choice(files), draw)
    elif kind == "cell":
        spoil_cell(draw.choice(tables), draw)
    elif kind == "column":
        spoil_column(draw.choice(tables), draw)
    elif kind == "line":
        spoil_line(draw.choice(tables), draw)
    elif kind == "array":
        spoil_array(arrays, draw)
        try:
            write_responses(folder, file_format, arrays, draw)
        except Exception:  # what cannot be written needs not be read
            return
    elif kind == "entry":
        path = folder / "dataset.toml"
        said = path.read_text(errors="replace") if path.exists() else ""
        path.write_text(f"{draw.choice(ENTRIES)}\n{said}")
    else:
        path = draw.choice(files)
        draw.choice(
            (
                path.unlink,
                lambda: path.write_bytes(b""),
                lambda: path.rename(folder / f"responses.{draw.choice(FORMATS)}"),
                lambda: path.write_bytes(draw.randbytes(200)),
                lambda: path.write_text(path.read_text(errors="replace"), encoding="utf-16"),
            )
        )()


def spoil_bytes(path: Path, draw: random.Random) -> None:
    """Flip, cut, repeat or insert bytes."""
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 1, 3, 20))):
        place = draw.randrange(len(content) + 1)
        how = draw.randrange(4)
        if how == 0 and place < len(content):
            content[place] ^= draw.randrange(1, 256)
        elif how == 1:
            del content[place : place + draw.choice((1, 4, len(content)))]
        elif how == 2:
            content[place:place] = content[place : place + 16]
        else:
            content[place:place] = draw.randbytes(draw.choice((1, 8)))
    path.write_bytes(content)


def cells_of(path: Path) -> tuple[str, list[list[str]]]:
    """The separator of a table, and its cells."""
    sign = "\t" if path.suffix == ".tsv" else ","
    return sign, [
        line.split(sign) for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if line
    ]


def keep_cells(path: Path, sign: str, rows: list[list[str]]) -> None:
    """Write the cells back."""
    path.write_text("\n".join(sign.join(row) for row in rows) + "\n", encoding="utf-8", errors="replace")


def spoil_cell(path: Path, draw: random.Random) -> None:
    """Something else in one cell."""
    sign, rows = cells_of(path)
    if rows:
        row = draw.choice(rows[1:] or rows)
        row[draw.randrange(len(row))] = draw.choice(CELLS)
    keep_cells(path, sign, rows)


def spoil_column(path: Path, draw: random.Random) -> None:
    """Rename, repeat, drop or add a column."""
    sign, rows = cells_of(path)
    if not rows:
        return
    place, how = draw.randrange(len(rows[0])), draw.randrange(4)
    name, value = draw.choice(NAMES), draw.choice(CELLS)
    if how == 0:
        rows[0][place] = name
    for number, row in enumerate(rows):
        if how == 1 and place < len(row):
            row.append(row[place])
        elif how == 2 and place < len(row):
            del row[place]
        elif how == 3:
            row.insert(place, name if number == 0 else value)
    keep_cells(path, sign, rows)


def spoil_line(path: Path, draw: random.Random) -> None:
    """Drop, repeat, shorten, lengthen or move lines; other ends of lines, other separators."""
    text = path.read_bytes()
    lines = text.split(b"\n")
    place = draw.randrange(len(lines))
    how = draw.randrange(9)
    if how == 0:
        del lines[place]
    elif how == 1:
        lines.insert(place, lines[place])
    elif how == 2:
        lines[place] = lines[place][: len(lines[place]) // 2]
    elif how == 3:
        lines[place] += draw.choice((b",", b",,", b",1", b"\r", b'"', b"\0"))
    elif how == 4:
        lines = [line + b"," for line in lines]
    elif how == 5:
        lines = [lines[0], *draw.sample(lines[1:], len(lines) - 1)]
    elif how == 6:
        lines.insert(place, b"")
    elif how == 7:
        lines = [line.replace(b",", b";") for line in lines]
    text = b"\n".join(lines)
    path.write_bytes(
        draw.choice(
            (text, text, text.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + text, text.replace(b"\n", b"\r"))
        )
    )


def spoil_array(arrays: dict[str, np.ndarray], draw: random.Random) -> None:
    """Another shape, kind or name of one array, or other values in it."""
    name = draw.choice(list(arrays))
    one = arrays[name]
    place = draw.randrange(max(one.size, 1))
    odd = draw.choice((None, "", np.nan, {}, [1], b"x", 3, 2.5, "a", print))
    changes = (
        lambda: one[: len(one) // 2],
        lambda: one[None],
        lambda: one.reshape(-1),
        lambda: one.T,
        lambda: np.empty(0),
        lambda: np.array(3),
        lambda: one.astype(complex) if one.dtype.kind in "fi" else one,
        lambda: one.astype(str),
        lambda: one.astype("S8"),
        lambda: one.astype(object),
        lambda: with_odd(one.astype(object), place, odd),
        lambda: with_odd(one.astype(object), place, odd),
        lambda: np.zeros_like(one),
        lambda: np.array([("a", 1)] * 3, "U2,i4"),
        lambda: np.full(one.shape, np.nan),
        lambda: one[:, :1] if one.ndim == 2 else one[:1],
        lambda: one.astype("datetime64[s]"),
        lambda: (
            np.where(np.arange(one.size).reshape(one.shape) == place, np.nan, one)
            if one.dtype.kind in "fi"
            else one
        ),
        lambda: np.ma.masked_array(one, np.arange(one.size).reshape(one.shape) == place),
        lambda: one > 0,
        lambda: np.tile(one, (1, 2)),
        lambda: one * np.inf,
        lambda: one.astype(np.float16),
        lambda: one.astype(np.int8),
    )
    try:
        changed = draw.choice(changes)()
    except (TypeError, ValueError, IndexError, RuntimeError):
        changed = one.astype(str)
    how = draw.random()
    if how < 0.12:
        del arrays[name]
    elif how < 0.24:
        arrays[draw.choice(NAMES) or "nothing"] = arrays.pop(name)
    else:
        arrays[name] = changed


def with_odd(values: np.ndarray, place: int, odd: object) -> np.ndarray:
    """One value of an array of objects changed."""
    values.flat[place] = odd
    return values
