"""Many models on many benchmarks, as one thing that is planned, worked through, gone on with and summed up."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from .cells import Cell, Event, Job
from .expansion import Expansion, expanded, only_matching
from .study_file import by_glob, checked_name, number, numbers, pairs, read_study, readouts, texts

if TYPE_CHECKING:
    from .planning import Plan
    from .summary import Summary


@dataclass(frozen=True)
class Study:
    """Models x benchmarks x options; patterns such as ``simulated-cortex.*`` stand for all that match.

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

    @classmethod
    def read(cls, path: Path | str) -> "Study":
        """A study from its TOML file.

        Raises
        ------
        UserError
            For a file that is no study.
        """
        return read_study(Path(path))

    def cells(self, only: str | None = None) -> Expansion:
        """The scores that the study consists of, and what was left out, with the reason.

        Parameters
        ----------
        only : str, optional
            A pattern of models, of benchmarks, or ``MODEL on BENCHMARK``.

        Raises
        ------
        UserError
            For a name that leads nowhere and a pattern that matches nothing.
        """
        found = expanded(self)
        return found if only is None else only_matching(found, only)

    def plan(self, *, only: str | None = None, run: str | None = None) -> "Plan":
        """What there is to do, what is stored already, and about how long and how much memory the rest takes.

        Models and data are opened for it, one after the other.
        """
        from .planning import plan

        return plan(self.cells(only), self._run(run))

    def work(
        self,
        *,
        on: str = "one",
        only: str | None = None,
        run: str | None = None,
        device: str | None = None,
        tell: Callable[[Event], None] | None = None,
    ) -> "Summary":
        """Score what is not stored yet.

        A cell that fails stops no other; after an interrupt the same call goes on.

        Parameters
        ----------
        on : str
            An executor, ``NAME`` or ``NAME:ARGUMENT`` (``brodmann list executors``).
        only : str, optional
            See :meth:`cells`.
        run : str, optional
            A run's name or folder, or the URL of a store, instead of the study's own.
        device : str, optional
            Where to compute.
        tell : callable, optional
            Given every event as it happens.
        """
        from .executors.base import EXECUTORS
        from .planning import batches
        from .summary import Summary
        from .work import let_go

        name, _, argument = on.partition(":")
        executor = EXECUTORS[name]
        found = self.cells(only)
        job = Job(self._run(run), device, study=os.urandom(8).hex())
        ends: dict[Cell, Event] = {}
        happening = executor.work(batches(found.cells), job, argument)
        try:
            for event in happening:
                if event.has_ended:
                    ends[event.cell] = event
                if tell is not None:
                    tell(event)
        finally:
            close = getattr(happening, "close", None)
            if close is not None:
                close()
            let_go()
        return Summary(
            self.name, job.run, [ends[cell] for cell in found.cells if cell in ends], found.left_out
        )

    def _run(self, given: str | None) -> str:
        return str(self.run) if given is None else given


def _folds(value: Any) -> dict[str, str]:
    table = value if isinstance(value, Mapping) else {"*": value}
    for glob, one in table.items():
        if isinstance(one, bool) or not isinstance(one, (str, int)):
            raise UserError(f"folds.{glob} must be a number or a word such as 'shuffled', not {one!r}")
    return {str(glob): str(one) for glob, one in table.items()}
