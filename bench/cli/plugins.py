"""The commands that write Brain-Score plugins, and check them before they leave the machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UserError
from .common import Json, Name, print_json, say

if TYPE_CHECKING:
    from ..brainscore_plugins import PluginFiles


def export_model(
    runs: list[str],
    model: str | None,
    folder: Path,
    *,
    metadata: bool,
    identifier: str | None,
    python: Path | None,
    as_json: bool,
) -> None:
    """Write the model of a run as a plugin, and check it."""
    from ..brainscore_plugins import write_model_plugin

    records = _records(runs)
    chosen, loaded_as = _chosen(records, model)
    mine = [one for one in records if one["model"] == chosen]
    files = write_model_plugin(mine, loaded_as, folder, identifier=identifier, metadata=metadata)
    _check(files, loaded_as, python, as_json=as_json)


def export_benchmark(
    name: Name,
    folder: Annotated[Path, typer.Argument(help="Where the plugin goes.")],
    region: Annotated[
        str | None, typer.Option(help="The region of Brain-Score whose layer a model is asked for.")
    ] = None,
    python: Annotated[
        Path | None, typer.Option(help="An interpreter that has Brain-Score, to check with.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a benchmark on recordings of one's own as a Brain-Score plugin, and check it.

    For example:  brodmann benchmarks export my-recordings.IT-pls plugins
    """
    from ..brainscore_plugins import write_benchmark_plugin

    files = write_benchmark_plugin(name, folder, region=region)
    _check(files, None, python, as_json=as_json)


def _records(runs: list[str]) -> list[dict[str, Any]]:
    from ..results.store import open_run

    return [record for run in runs for record in open_run(run).records()]


def _chosen(records: list[dict[str, Any]], model: str | None) -> tuple[str, str]:
    """The model's identifier in the records, and how it is loaded."""
    names = sorted({one["model"] for one in records} - {"brain"})
    if not names:
        raise UserError(
            "there is no score of a model here: make some with brodmann score MODEL BENCHMARK --run NAME"
        )
    if model is None:
        if len(names) > 1:
            raise UserError(
                f"the run has {len(names)} models: choose one with --model, of {', '.join(names)}"
            )
        return names[0], names[0]
    if model in names:
        return model, model
    from ...models import load_model

    found = load_model(model).identifier
    if found not in names:
        raise UserError(f"the run has no score of {found!r}; it has {', '.join(names)}")
    return found, model


def _check(files: "PluginFiles", model: str | None, python: Path | None, *, as_json: bool) -> None:
    from ..brainscore_plugins import check_plugin

    report = check_plugin(files, model, python=python)
    if as_json:
        print_json(
            {
                "plugin": str(files.plugin),
                "archive": str(files.archive),
                "identifier": files.identifier,
                "layers": dict(files.layers),
                "notes": list(files.notes),
                "passed": report.passed,
                "checks": [one.__dict__ for one in report.checks],
            }
        )
    else:
        say(f"plugin    {files.plugin}\narchive   {files.archive}")
        for region, layer in files.layers.items():
            say(f"layer     {region}: {layer}")
        for note in files.notes:
            say(f"note      {note}")
        say(report.text())
    if not report.passed:
        raise UserError(f"the plugin in {files.plugin} did not pass its checks: do not send it")
