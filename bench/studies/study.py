"""Many models on many benchmarks, as one thing that is planned, worked through, gone on with and summed up."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .cells import Cell, Event, Job
from .expansion import Expansion, expanded, only_matching
from .study_file import Entries, read_entries

if TYPE_CHECKING:
    from .planning import Plan
    from .summary import Summary


class Study(Entries):
    """Models x benchmarks x options, see :class:`~brodmann.bench.studies.study_file.Entries`.

    >>> study = Study(models=["pixels"], benchmarks=["simulated-cortex.*"])
    """

    @classmethod
    def read(cls, path: Path | str) -> "Study":
        """A study from its TOML file.

        Raises
        ------
        UserError
            For a file that is no study.
        """
        return cls(**read_entries(Path(path)))

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
