"""The command that learns a dictionary from a layer of a model."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UserError
from .common import Json, Name, print_json, say
from .inside import Layer, Pictures, Seed, Texts, network, shown

if TYPE_CHECKING:
    from ...analysis.interpretability.dictionary import Dictionary
    from ...analysis.interpretability.learning.settings import Settings

_COUNTS = {"": 1, "k": 1_000, "m": 1_000_000}


def features_train(
    model: Name,
    layer: Layer,
    texts: Texts = None,
    pictures: Pictures = None,
    features: Annotated[str, typer.Option(help="How many: 4096, or 8x the layer's units.")] = "8x",
    active: Annotated[int, typer.Option(min=1, help="Features that are active in a row.")] = 16,
    variant: Annotated[
        str,
        typer.Option(
            help="topk, batchtopk, relu, jumprelu, gated, matryoshka, sheeted, transcoder, skip, frozen."
        ),
    ] = "topk",
    rows: Annotated[str, typer.Option(help="Rows to learn from, over all passes: 500k, 3M.")] = "3M",
    seed: Seed = 0,
    batch_rows: Annotated[int, typer.Option(min=2, help="Rows of a step.")] = 2048,
    precision: Annotated[str, typer.Option(help="Of the encoder's product: auto, bf16 or fp32.")] = "auto",
    kept_as: Annotated[str, typer.Option(help="Of the rows on disk: fp16, bf16 or fp32.")] = "fp16",
    folder: Annotated[
        Path | None,
        typer.Option(help="Receives the dictionary; MODEL-LAYER-FEATURES-SEED.features by default."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Learn sparse features of a layer.

    The rows are read once and kept beside the dictionary while it learns; a training that was stopped goes on when the
    command is given again. Language learns from all documents but the last tenth, vision from nine tenths of the
    pictures. For example:

      brodmann features train twin-language-topographic --layer transformer.h.1.mlp.gelu --features 2048

      brodmann features train twin-language-baseline --layer transformer.h.1.mlp --variant skip --texts FOLDER --seed 1
    """
    import shutil

    from ...analysis.interpretability.learning.of_model import train
    from ...analysis.interpretability.learning.rows import PRECISIONS
    from ...analysis.interpretability.learning.settings import Seeds, Settings, number_of_features
    from ...analysis.interpretability.variants.base import VARIANTS
    from ...models.extraction.rows import count_rows

    kind, n_rows = VARIANTS[variant], count(rows)
    if kept_as not in PRECISIONS:
        raise UserError(f"--kept-as {kept_as!r} is not one of {', '.join(PRECISIONS)}")
    opened = network(model)
    material = shown(opened, texts, pictures, part="training", seed=seed)
    read_at = f"{layer}#in" if kind.learning.transcodes else layer
    n_different, n_units = count_rows(opened, read_at, material)
    settings = Settings(
        number_of_features(features, n_units),
        active,
        variant,
        Seeds(seed, seed),
        n_rows,
        min(batch_rows, max(2, min(n_rows, n_different))),
        precision=precision,
    )
    path = folder or Path(f"{_plain(model)}-{_plain(layer)}-{settings.n_features}-{seed}.features")
    if path.exists():
        raise UserError(f"{path} is already there: choose another --folder, or remove it")
    work = path.with_name(f"{path.name}.training")
    if not as_json:
        _announce(settings, n_different, n_units, kept_as, work)
    watch = None if as_json else _progress(settings)
    found = train(opened, layer, material, settings, folder=work, kept_as=kept_as, watch=watch)
    found.save(path)
    shutil.rmtree(work)
    _tell(found, path, as_json)


def count(text: str) -> int:
    """``500k``, ``3M`` or ``3000000`` as a number.

    Raises
    ------
    UserError
        For anything else, or less than 1.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmM]?)", text.strip())
    number = round(float(found[1]) * _COUNTS[found[2].lower()]) if found else 0
    if not 1 <= number <= 10**12:
        raise UserError(f"--rows takes a number of rows such as 500k or 3M, not {text!r}")
    return number


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model"


def _announce(settings: "Settings", n_different: int, n_units: int, kept_as: str, work: Path) -> None:
    from ...analysis.interpretability.learning.rows import PRECISIONS
    from ...analysis.interpretability.learning.settings import bytes_needed
    from ...analysis.interpretability.variants.base import VARIANTS

    sparse = VARIANTS[settings.variant].learning.sparse
    memory = bytes_needed(settings, n_units, n_units, dense=not sparse) / 2**30
    disk = n_different * n_units * PRECISIONS[kept_as].itemsize / 2**30
    passes = settings.n_steps * settings.batch_size / n_different
    say(
        f"features  {settings.n_features} of {n_units} units, {settings.variant}, about {settings.active} active"
    )
    say(f"rows      {n_different} different, {passes:.1f} passes, {disk:.2f} GiB in {work}")
    say(f"memory    about {memory:.2f} GiB beside the model")


def _progress(settings: "Settings") -> Any:
    every = max(1, settings.n_steps // 10)

    def watch(step: int, seen: Any) -> None:
        if step % every == 0:
            say(
                f"step      {step} of {settings.n_steps}: {seen['fvu']:.4f} of variance unexplained, "
                f"{seen['active']:.1f} active, {seen['dead']:.0f} dead"
            )

    return watch


def _tell(found: "Dictionary", path: Path, as_json: bool) -> None:
    told = found.facts["features"]
    if as_json:
        print_json({"folder": str(path), "digest": found.digest, "n_features": found.n_features, **told})
        return
    say(
        f"features  {told['never_fired']} of {found.n_features} never active, {told['dead_at_end']} dead at the end"
    )
    say(f"written   {path}")
