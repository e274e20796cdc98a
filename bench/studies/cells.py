"""What a study is made of: cells, the batches in which they are worked through, and what is told of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from ...errors import UserError
from ...files import digest_of

State = Literal["running", "scored", "stored", "failed"]
"""``stored``: the record was there before."""


@dataclass(frozen=True)
class Cell:
    """One score of a study: a model on a benchmark, in one manner.

    Attributes
    ----------
    model, benchmark : str
        As :func:`brodmann.score` takes them.
    layers : tuple of str or None
        The model's own choice where None.
    pool, project, half, text
        As ``brodmann score`` takes them.
    seed, bootstraps, permutations
        Of every random draw, for the interval, for p.
    beyond : tuple of str or None
        The benchmark's own where None.
    folds, batch_size
        As ``brodmann score`` takes them.
    """

    model: str
    benchmark: str
    layers: tuple[str, ...] | None = None
    pool: str = "none"
    project: int | None = None
    half: bool = False
    text: str | None = None
    seed: int = 0
    bootstraps: int = 1000
    permutations: int = 1000
    beyond: tuple[str, ...] | None = None
    folds: str | None = None
    batch_size: int | None = None

    @property
    def identifier(self) -> str:
        """A digest of all fields: by it a cell is known in a plan, a table and a message."""
        return digest_of(asdict(self))[:12]

    @property
    def reading(self) -> tuple[object, ...]:
        """Cells that are alike in it show one and the same model view to the stimuli."""
        seed = self.seed if self.pool != "none" or self.project is not None or self.half else None
        return self.model, self.pool, self.project, self.half, self.text, seed, self.batch_size

    @property
    def variant(self) -> str:
        """In what it differs from a plain score, as part of a name: ``pool=mean+seed=1``."""
        options = {"pool": self.pool, "project": self.project, "half": self.half, "text": self.text}
        told = {name: value for name, value in options.items() if value not in (None, "none", False)}
        told |= {"seed": self.seed} if self.seed else {}
        return "+".join(f"{name}={value}" for name, value in told.items())

    def as_json(self) -> dict[str, Any]:
        """For a message to another machine, see :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Cell":
        """A cell from what :meth:`as_json` gave."""
        unknown = set(content) - {one.name for one in fields(cls)}
        if unknown:
            raise UserError(
                f"a cell has no {', '.join(sorted(unknown))}: is the other side of another version?"
            )
        lists: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
        }
        return cls(**lists)


@dataclass(frozen=True)
class Batch:
    """Cells that one worker does one after the other: of one reading of one model, data set by data set.

    Attributes
    ----------
    cells : tuple of Cell
    """

    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Job:
    """What every worker is told beside its cells.

    Attributes
    ----------
    run : str
        The run that keeps the records: a name, a folder, or the URL of a store.
    device : str or None
        Where a worker computes; the first that is there where None.
    home : str or None
        ``BRODMANN_HOME`` of the workers; their own where None.
    study : str
        Differs between two studies, even of one name: what a worker keeps for the next batch is of one study.
    """

    run: str
    device: str | None = None
    home: str | None = None
    study: str = ""


@dataclass(frozen=True)
class Event:
    """Something that happened to a cell: every cell ends once, as scored, stored or failed.

    Attributes
    ----------
    cell : Cell
    state : {"running", "scored", "stored", "failed"}
    where : str
        The process or machine that tells it.
    seconds : float
        Of a cell that has ended.
    record : str
        The path or URL of its record.
    error : str
        One line, where it failed.
    score : float or None
        The headline, for the table.
    """

    cell: Cell
    state: State
    where: str = ""
    seconds: float = 0.0
    record: str = ""
    error: str = ""
    score: float | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be told of the cell."""
        return self.state != "running"
