"""The command that works through a study."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...device import use
from ...errors import UserError
from .common import Device, Json, print_json, say
from .live import Lines, LiveTable, duration

if TYPE_CHECKING:
    from ..studies.planning import Plan
    from ..studies.study import Study
    from ..studies.summary import Summary

_FAILED = 1
_MOST_SHOWN = 20


def run(
    study: Annotated[Path, typer.Argument(help="A TOML file: models, benchmarks, and options.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what there is to do, what is stored, and what it takes.")
    ] = False,
    on: Annotated[
        str,
        typer.Option(help="Where: brodmann list executors shows them.", metavar="EXECUTOR[:ARGUMENT]"),
    ] = "one",
    only: Annotated[
        str | None,
        typer.Option(
            help="Only what matches: a model, a benchmark, or 'MODEL on BENCHMARK'.", metavar="GLOB"
        ),
    ] = None,
    run: Annotated[
        str | None, typer.Option(help="The run that keeps the records; by default the study's.")
    ] = None,
    device: Device = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where study.csv and the report go; by default NAME-study.")
    ] = None,
    submit: Annotated[
        str | None,
        typer.Option(
            help="Submit all scores at the end: to a file, postgresql://... or https://...", metavar="TO"
        ),
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", help="Figures as PDF, too.")] = True,
    as_json: Json = False,
) -> None:
    """Score many models on many benchmarks, and go on where it was stopped.

    Ends with 0 where all cells have a score, with 1 where some failed, and with 2 for a mistake before anything ran.

    For example:

      brodmann run study.toml --dry-run

      brodmann run study.toml

      brodmann run study.toml --only 'pixels on *-rsa'
    """
    from ..studies.executors.base import EXECUTORS
    from ..studies.study import Study

    read = Study.read(study)
    EXECUTORS[on.partition(":")[0]]  # before anything is looked at
    if dry_run:
        with use(device):  # keys hold where a score is computed
            _show_plan(read, read.plan(only=only, run=run), as_json=as_json)
        return
    target = folder or Path(f"{read.name}-study")
    _check_folder(target)
    summary = _worked(read, on, only, run, device, quiet=as_json)
    command = ["brodmann", "run", str(study), *(["--only", only] if only else [])]
    from ..reports.study_report import write_study

    paths = write_study(summary, target, command=shlex.join(command), vector=pdf)
    receipt, notes = None, list[str]()
    if submit is not None:
        from ..leaderboard.submit import submit_study

        receipt, notes = submit_study(summary, submit)
    if as_json:
        sent = {} if receipt is None else {"submission": {**receipt.__dict__, "notes": notes}}
        print_json(summary.as_json() | {"files": [str(path) for path in paths]} | sent)
    else:
        _show_end(summary, paths)
        if receipt is not None:
            say(f"submitted {receipt.new + receipt.replaced} scores as {receipt.submission}")
        for note in notes:
            say(f"note      {note}")
    if summary.failed:
        raise typer.Exit(_FAILED)


def _check_folder(folder: Path) -> None:
    """A folder that cannot be written is said before the scores, and not after them."""
    at = folder.absolute()
    there = next(one for one in (at, *at.parents) if one.exists())
    if not there.is_dir():
        raise UserError(f"{there} is a file: the summary goes into a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{there} may not be written: give another place for the summary by --folder")


def _worked(
    study: "Study", on: str, only: str | None, run: str | None, device: str | None, *, quiet: bool
) -> "Summary":
    cells = study.cells(only).cells
    if quiet:
        return study.work(on=on, only=only, run=run, device=device)
    shown = LiveTable(cells) if sys.stdout.isatty() else Lines(cells)
    with shown:
        return study.work(on=on, only=only, run=run, device=device, tell=shown.tell)


def _show_end(summary: "Summary", paths: list[Path]) -> None:
    counts = ", ".join(f"{len(summary.of(state))} {state}" for state in ("scored", "stored", "failed"))
    say(f"\ncells     {counts}")
    say(f"run       {summary.run}\ntable     {paths[0]}")
    if len(paths) > 1:
        say(f"report    {paths[1]}")
    for one in summary.failed:
        say(f"failed    {one.cell.model} on {one.cell.benchmark}{_variant(one.cell.variant)}: {one.error}")


def _show_plan(study: "Study", plan: "Plan", *, as_json: bool) -> None:
    from ..studies.summary import left_out_json
    from .terminal import table

    if as_json:
        print_json(
            {
                "study": study.name,
                "cells": [
                    {**one.cell.as_json(), "status": one.status, "seconds": one.seconds,
                     "bytes": one.n_bytes or None, "why": one.why or None}
                    for one in plan.cells
                ],
                "left_out": left_out_json(plan.left_out),
                "seconds": plan.seconds,
                "bytes": plan.n_bytes,
            }
        )  # fmt: skip
        return
    rows = [
        (
            one.cell.model,
            one.cell.benchmark + _variant(one.cell.variant),
            one.status,
            "" if one.seconds is None else duration(one.seconds),
            f"{one.n_bytes / 2**30:.2f}" if one.n_bytes else "",
            one.why,
        )
        for one in plan.cells
    ]
    table(
        f"{len(rows)} scores of the study {study.name}",
        ("model", "benchmark", "status", "takes", "GiB", "why"),
        rows,
    )
    for one in plan.left_out[:_MOST_SHOWN]:
        say(f"left out  {one.what}: {one.why}")
    if len(plan.left_out) > _MOST_SHOWN:
        say(f"left out  and {len(plan.left_out) - _MOST_SHOWN} more: --json has them all")
    n_do, n_stored, n_refused = (len(plan.of(status)) for status in ("to do", "stored", "refused"))
    say(f"\nto do     {n_do}, stored {n_stored}, refused {n_refused}")
    if not n_do:
        return
    if plan.seconds is None:
        say("time      not known: nothing like it was scored in this run or the default one")
    else:
        guess = f" ({plan.n_unknown} of them by the median of the others)" if plan.n_unknown else ""
        say(
            f"time      about {duration(plan.seconds)} in one process, from the seconds of stored records{guess}"
        )
    say(f"memory    at most {plan.n_bytes / 2**30:.1f} GiB a process")


def _variant(variant: str) -> str:
    return f" ({variant})" if variant else ""
