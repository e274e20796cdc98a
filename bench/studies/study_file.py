"""A study as a person writes it, in TOML: which entries there are, and what each may hold."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ...errors import UserError, unknown
from ...files import read_toml

_MOST_BYTES = 1 << 20
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_READOUT = ("pool", "project", "half", "text")
_POOLS = ("none", "mean", "max")
_TEXTS = ("last", "mean", "word-end")


@dataclass(frozen=True)
class Entries:
    """Models x benchmarks x options; a pattern such as ``simulated-cortex.*`` stands for all that match.

    Attributes
    ----------
    models : sequence of str
        As :func:`brodmann.load_model` takes them, or patterns of the catalogue, of ``timm:`` or ``torchvision:``.
    benchmarks : sequence of str
        Identifiers, or patterns of the declared ones.
    pairs : sequence of (str, str)
        Single models on single benchmarks, beside the product.
    exclude : sequence of str
        Patterns of models, of benchmarks, or ``MODEL on BENCHMARK``.
    layers : mapping of str to sequence of str
        Pattern of models -> layers; the first that matches counts, a model's own choice without one.
    readouts : sequence of mapping
        ``pool``, ``project``, ``half``, ``text``, as ``brodmann score`` takes them.
    seeds : sequence of int
    beyond, folds : mapping of str to sequence of str, or str
        Pattern of benchmarks -> nuisance spaces, or folds; a benchmark's own without one.
    bootstraps, permutations : int
    batch_size : int, optional
    name : str
    run : str, optional
        That keeps the records; the study's name by default.

    Raises
    ------
    UserError
        For an entry that holds something else.
    """

    models: Sequence[str] = ()
    benchmarks: Sequence[str] = ()
    pairs: Sequence[tuple[str, str]] = ()
    exclude: Sequence[str] = ()
    layers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    readouts: Sequence[Mapping[str, Any]] = ({},)
    seeds: Sequence[int] = (0,)
    beyond: Mapping[str, Sequence[str]] = field(default_factory=dict)
    folds: Mapping[str, str] = field(default_factory=dict)
    bootstraps: int = 1000
    permutations: int = 1000
    batch_size: int | None = None
    name: str = "study"
    run: str | None = None

    def __post_init__(self) -> None:
        """Check every entry, and bring it to one form."""
        checked = {
            "models": texts(self.models, "models"),
            "benchmarks": texts(self.benchmarks, "benchmarks"),
            "pairs": pairs(self.pairs),
            "exclude": texts(self.exclude, "exclude"),
            "layers": by_glob(self.layers, "layers"),
            "readouts": readouts(self.readouts),
            "seeds": numbers(self.seeds, "seeds"),
            "beyond": by_glob(self.beyond, "beyond"),
            "folds": _folds(self.folds),
            "bootstraps": number(self.bootstraps, "bootstraps"),
            "permutations": number(self.permutations, "permutations"),
            "batch_size": None if self.batch_size is None else number(self.batch_size, "batch_size", least=1),
            "name": checked_name(self.name, "name"),
            "run": checked_name(self.name if self.run is None else self.run, "run"),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if not (self.models and self.benchmarks) and not self.pairs:
            raise UserError(
                "a study needs models and benchmarks, or pairs: models = ['pixels'], benchmarks = [...]"
            )


def read_entries(path: Path) -> dict[str, Any]:
    """The entries of a study's file, each of which is right by itself.

    Raises
    ------
    UserError
        For a file that is no study: which entry, what it holds, and what it may hold.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"{path} is no plain file: a study is a TOML file")
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        raise UserError(f"{path} is larger than a study is: it holds more than {_MOST_BYTES >> 20} MiB")
    content = read_toml(path)
    known = {one.name for one in fields(Entries)}
    for name in content:
        if name not in known:
            raise unknown(f"entry of {path}", name, known)
    content.setdefault("name", plain_name(path.stem) or "study")
    try:
        Entries(**content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return content


def plain_name(text: str) -> str:
    """A text as the name of a run and of files."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-._")[:80]


def checked_name(value: Any, what: str) -> str:
    """A name that is no path."""
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        raise UserError(
            f"{what} must be a plain name (letters, numbers and . _ -), not {_shown(value)}; "
            "a folder is given on the command line: --run FOLDER"
        )
    return value


def texts(value: Any, what: str) -> tuple[str, ...]:
    """A list of texts, each once."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not all(isinstance(one, str) and one for one in given):
        raise UserError(f"{what} must be a list of names, not {_shown(value)}")
    return tuple(dict.fromkeys(given))


def number(value: Any, what: str, *, least: int = 0) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 1 << 31:
        raise UserError(f"{what} must be a whole number from {least}, not {_shown(value)}")
    return value


def numbers(value: Any, what: str) -> tuple[int, ...]:
    """A list of whole numbers, each once; or one."""
    given = value if isinstance(value, (list, tuple)) else [value]
    if not given:
        raise UserError(f"{what} must hold at least one number")
    return tuple(dict.fromkeys(number(one, what) for one in given))


def pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """A list of [MODEL, BENCHMARK]."""
    given = value if isinstance(value, (list, tuple)) else [value]
    found = [
        tuple(one) if isinstance(one, (list, tuple)) and all(isinstance(part, str) for part in one) else ()
        for one in given
    ]
    for one, whole in zip(found, given, strict=True):
        if len(one) != 2:
            raise UserError(f"pairs must be a list of [MODEL, BENCHMARK], not {_shown(whole)}")
    return tuple((one[0], one[1]) for one in found)


def by_glob(value: Any, what: str) -> dict[str, tuple[str, ...]]:
    """A table from a pattern to a list of names; a list alone is meant for all."""
    if not isinstance(value, Mapping):
        return {"*": texts(value, what)}
    return {str(glob): texts(one, f"{what}.{glob}") for glob, one in value.items()}


def readouts(value: Any) -> tuple[dict[str, Any], ...]:
    """A list of tables, each one manner of reading a layer."""
    given = value if isinstance(value, (list, tuple)) else [value]
    for one in given:
        if not isinstance(one, Mapping):
            raise UserError(f"readouts must be tables such as {{pool = 'mean'}}, not {_shown(one)}")
        for name, held in one.items():
            if name not in _READOUT:
                raise unknown("entry of a readout", name, _READOUT)
            _check_readout(name, held)
    return tuple(dict(one) for one in given) or ({},)


def _check_readout(name: str, value: Any) -> None:
    allowed = {"pool": _POOLS, "text": _TEXTS}.get(name)
    if allowed is not None and value not in allowed:
        raise UserError(f"a readout's {name} must be one of {', '.join(allowed)}, not {_shown(value)}")
    if name == "project":
        number(value, "a readout's project", least=1)
    if name == "half" and not isinstance(value, bool):
        raise UserError(f"a readout's half must be true or false, not {_shown(value)}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _folds(value: Any) -> dict[str, str]:
    table = value if isinstance(value, Mapping) else {"*": value}
    for glob, one in table.items():
        if isinstance(one, bool) or not isinstance(one, (str, int)):
            raise UserError(f"folds.{glob} must be a number or a word such as 'shuffled', not {one!r}")
    return {str(glob): str(one) for glob, one in table.items()}
