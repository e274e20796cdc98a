"""The command line: one command a journey, one line a mistake."""

import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import UserError, printable
from .analyze import analyze, dimensions
from .board_staff import reproduce
from .common import (
    SETTINGS,
    AllowStochastic,
    BatchSize,
    Json,
    Name,
    Pattern,
    Run,
    computes,
    plain,
    print_card,
    print_json,
    say,
)
from .compare import compare
from .data import data
from .features import features
from .leaderboard import leaderboard, submit
from .lens import lens
from .maps import export_map
from .models import lesion, models, train, twins
from .plugins import export_benchmark
from .probe import probe
from .registries import list_things
from .run import run as run_study

_INTERRUPTED = 130

app = typer.Typer(
    **SETTINGS,
    pretty_exceptions_enable=False,
    help="Score vision and language models against brain recordings.\n\n"
    "Examples:\n\n"
    "  brodmann demo\n\n"
    "  brodmann score gabor-pyramid simulated-cortex.V1-ridge\n\n"
    "  brodmann analyze twin-vision-topographic --layer layer4.0.conv1\n\n"
    "  brodmann data add kriegeskorte2008 --from FOLDER",
)
benchmarks = typer.Typer(
    **SETTINGS,
    help="The benchmarks: list them, look at one, declare one's own.\n\n"
    "For example:  brodmann benchmarks info simulated-cortex.V1-ridge",
)
app.add_typer(models, name="models")
app.add_typer(data, name="data")
app.add_typer(benchmarks, name="benchmarks")
app.add_typer(features, name="features")
app.add_typer(leaderboard, name="leaderboard")
app.add_typer(lens, name="lens")
app.command()(computes(train))
app.command()(computes(twins))
app.command()(computes(lesion))
app.command()(computes(analyze))
app.command()(computes(dimensions))
app.command()(compare)
app.command()(computes(probe))
app.command("export-map")(export_map)
app.command("run")(run_study)
app.command("list")(list_things)
benchmarks.command("export")(export_benchmark)
app.command()(submit)
app.command()(computes(reproduce))


def main() -> None:
    """Run the command line; a person's mistake is one line and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a sign shows another
    try:
        app()
    except UserError as error:
        _stop(str(error))
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:  # typer leaves without a word
            print("brodmann: stopped; what is finished is kept, the same command goes on", file=sys.stderr)
        raise
    except BrokenPipeError:  # the reader of our output has gone, e.g. head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except RecursionError:
        _stop("a file is nested too deeply to be read")
    except MemoryError:
        _stop("out of memory: ask for fewer bootstraps or permutations, or for smaller layers")
    except OSError as error:
        _stop(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def _stop(message: str) -> None:
    print(f"brodmann: {printable(' '.join(message.split()))}", file=sys.stderr)
    sys.exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("brodmann"))
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


@app.command()
@computes
def score(
    model: Annotated[
        str,
        typer.Argument(
            help="A catalogue name, hf:FOLDER, timm:NAME, torchvision:NAME, file.py:factory, or brain."
        ),
    ],
    benchmark: Annotated[str, typer.Argument(help="DATASET.REGION-METRIC, e.g. simulated-cortex.V1-ridge.")],
    layers: Annotated[str | None, typer.Option(help="Layers, separated by commas.")] = None,
    as_json: Json = False,
    run: Run = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every random draw.")] = 0,
    bootstraps: Annotated[int, typer.Option(help="Draws for the interval; 0 for none.")] = 1000,
    permutations: Annotated[int, typer.Option(help="Draws for the p value; 0 for none.")] = 1000,
    beyond: Annotated[
        str | None,
        typer.Option(
            help="Nuisance spaces, columns or models, separated by commas: what the model adds to them. "
            "The benchmark's own by default; none for none.",
            metavar="SPACES",
        ),
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(
            help="Other folds than the benchmark's: a number, shuffled (parts what depends on each other), or "
            "leave-COLUMN-out.",
            metavar="N|shuffled|leave-COLUMN-out",
        ),
    ] = None,
    pool: Annotated[str, typer.Option(help="Over a picture's space: none, mean or max.")] = "none",
    project: Annotated[
        int | None, typer.Option(min=1, help="Sparse random projection of wider layers to this many numbers.")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Run the network in half precision.")] = False,
    text: Annotated[
        str | None,
        typer.Option(
            help="How a text becomes one vector; by default the last token of causal and recurrent networks, the mean "
            "of the others.",
            metavar="last|mean|word-end",
        ),
    ] = None,
    allow_stochastic: AllowStochastic = False,
    batch_size: BatchSize = None,
    over_time: Annotated[
        bool, typer.Option("--over-time", help="In every time bin of the data set, by ridge regression.")
    ] = False,
    bins_of: Annotated[
        float | None, typer.Option(help="Over time: join bins to bins of so many ms.", metavar="MS")
    ] = None,
    windows: Annotated[
        str | None,
        typer.Option(
            help="Over time: windows in ms after onset instead of the bins, such as 70-170,170-270.",
            metavar="FROM-TO,...",
        ),
    ] = None,
    layer_of: Annotated[
        str, typer.Option(help="Over time: one layer for all bins, or each its own.", metavar="one|each")
    ] = "one",
    every_neuroid: Annotated[
        bool,
        typer.Option(
            "--every-neuroid", help="Over time: test every neuroid (electrode), with its onset and q."
        ),
    ] = False,
    figure: Annotated[
        Path | None,
        typer.Option(help="Where the layer curve goes (.png, .pdf, .svg); beside the record by default."),
    ] = None,
) -> None:
    """Score a model against a benchmark.

    For example:

      brodmann score gabor-pyramid simulated-cortex.V1-ridge

      brodmann score cifar10-resnet20 kriegeskorte2008.hIT-rsa --layers layer1.0,layer3.2 --json

      brodmann score hf:FOLDER tuckute2024.netw-ridge --beyond word-length-frequency,position

      brodmann score pixels simulated-cortex.IT-ridge --folds leave-category-out

      brodmann score brain haxby2001-slice.posterior-decoding

      brodmann score MODEL BENCHMARK --over-time --bins-of 20
    """
    suffix = _suffix(figure)
    timed = {"bins_of": bins_of, "windows": windows, "layer": layer_of, "every_neuroid": every_neuroid}
    if not over_time and (
        given := [name for name, value in timed.items() if value not in (None, "one", False)]
    ):
        raise UserError(f"--{given[0].replace('_', '-')} is of scores over time: add --over-time")
    chosen, spaces = _names(layers), _names(beyond)
    from ..scoring import check_names
    from ..scoring import score as score_model

    opened: Any = model
    manner: dict[str, Any] = {
        "pool": pool,
        "project": project,
        "half": half,
        "text": text,
        "batch_size": batch_size,
    }
    if allow_stochastic or any(value not in (None, "none", False) for value in manner.values()):
        check_names(model, benchmark)
        from ...models.extraction.steadiness import PASSES
        from ...models.loading import load_view

        opened = load_view(model, seed=seed, passes=PASSES if allow_stochastic else 1, **manner)
    if over_time:
        from .over_time import show

        if spaces is not None:
            raise UserError(
                "--beyond and --over-time: what a model adds is not looked at bin by bin; leave one out"
            )
        show(
            opened, benchmark, chosen, timed, figure, suffix, as_json, run=run, seed=seed, n_bootstraps=bootstraps,
            n_permutations=permutations, folds=folds,
        )  # fmt: skip
        return
    found = score_model(
        opened, benchmark, chosen, run=run, seed=seed, n_bootstraps=bootstraps, n_permutations=permutations,
        beyond=spaces, folds=folds,
    )  # fmt: skip
    record = found.attrs["record"]
    if figure is None and len(record["layers"]) > 1:
        figure, suffix = Path(record["file"]).with_suffix(".png"), "png"
    if figure is not None and not (found.attrs["cached"] and figure.exists()):
        from ...files import write_bytes
        from ..reports.render import figure_bytes

        write_bytes(figure, figure_bytes(record, suffix))
    if as_json:
        print_json(record)
        return
    from .terminal import score_text, width

    say(score_text(record, width=width()))
    if figure is not None:
        say(f"figure    {figure}")


@app.command()
@computes
def demo(
    folder: Annotated[Path, typer.Option(help="Where the figures go.")] = Path("brodmann-demo"),
) -> None:
    """Score models against simulated vision and language recordings, and draw the layer curves.

    Needs no download. Example:

      brodmann demo --folder figures
    """
    if folder.is_file():
        raise UserError(f"{folder} is a file: the figures go into a folder")
    from ..reports.render import draw
    from ..studies.demo import scores
    from .terminal import score_text, summary_rows, table, width

    found = scores()
    for one in found:
        say(score_text(one.attrs["record"], width=width()), end="\n\n")
    table(
        f"{len(found)} scores on SIMULATED data",
        ("benchmark, model", "score", "95 % interval", "ceiling", "p"),
        summary_rows([one.attrs["record"] for one in found]),
    )
    for path in draw(found, folder):
        say(f"figure    {path}")


@benchmarks.command("list")
def list_all_benchmarks(pattern: Pattern = "*", as_json: Json = False) -> None:
    """List the benchmarks.

    For example:  brodmann benchmarks list 'simulated-*'
    """
    from ...brain_data.catalogue import is_installed
    from ..benchmark import list_benchmarks
    from ..metrics.registries import METRICS

    cards = list_benchmarks(pattern)
    if as_json:
        print_json(
            {"benchmarks": [plain(card) | {"installed": is_installed(card.dataset)} for card in cards]}
        )
        return
    from .terminal import table

    rows = [(c.identifier, "yes" if is_installed(c.dataset) else "no", c.description) for c in cards]
    table(f"{len(rows)} benchmarks", ("name", "here", "what"), rows)
    say(f"\nand any DATASET.REGION-METRIC; metrics: {', '.join(METRICS)}")


@benchmarks.command("info")
def benchmark_info(name: Name, as_json: Json = False) -> None:
    """Show what a benchmark is and, where its data are installed, its ceiling.

    For example:  brodmann benchmarks info simulated-cortex.V1-ridge
    """
    from ...brain_data.catalogue import is_installed
    from ..benchmark import benchmark_card, load_benchmark

    card = benchmark_card(name)
    shown = plain(card) | {"installed": is_installed(card.dataset)}
    if shown["installed"]:
        noise_ceiling = load_benchmark(name).noise_ceiling
        shown |= {"ceiling": noise_ceiling.value, "ceiling_kind": noise_ceiling.kind}
        if noise_ceiling.lower is not None:
            shown |= {"ceiling_lower": noise_ceiling.lower, "ceiling_upper": noise_ceiling.upper}
    print_card(shown, as_json)


@benchmarks.command("add")
def add_own_benchmark(file: Annotated[Path, typer.Argument(help="A TOML file.")]) -> None:
    """Declare benchmarks of one's own in a TOML file.

    For example:  brodmann benchmarks add mine.toml
    """
    from ..benchmark import add_benchmark

    say("declared: " + ", ".join(add_benchmark(file)))


def _names(text: str | None) -> list[str] | None:
    """Names between commas."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _suffix(figure: Path | None) -> str:
    if figure is None:
        return ""
    suffix = figure.suffix.lower().removeprefix(".")
    if suffix not in ("png", "pdf", "svg"):
        raise UserError(
            f"a figure is saved as .png, .pdf or .svg, not {figure.suffix or 'without a suffix'!r}"
        )
    return suffix
