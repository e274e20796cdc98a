"""The command that asks which units hold a property, how few are needed, and with what certificate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from ...errors import UserError, unknown
from .common import Json, print_json, say
from .inside import Seed

if TYPE_CHECKING:
    from ...analysis.interpretability.probes.layer import LayerProbes
    from ...analysis.interpretability.probes.probe import Probe
    from ...analysis.interpretability.probes.sparse_probe import Point


def probe(
    model: Annotated[str, typer.Argument(help="A model, as brodmann models info takes it.")],
    layer: Annotated[
        str | None,
        typer.Option(help="Layers, separated by commas; that of --features by default.", metavar="LAYER"),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(
            "--property", help="Properties, separated by commas; all that the model can read by default."
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="The most units of a probe, beside all of them.")] = 32,
    optimal: Annotated[
        bool, typer.Option("--optimal", help="Search the best 1, 2 and 4 units, with a certificate.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each exact search.")] = 10.0,
    gamma: Annotated[float, typer.Option(min=1e-3, help="Of the exact search: 10, 100 or 1000.")] = 100.0,
    features: Annotated[
        Path | None, typer.Option(help="A dictionary: its features are probed in place of units.")
    ] = None,
    material: Annotated[
        list[Path] | None,
        typer.Option(help="A folder that holds wikitext-2, BLiMP, fLoc ...; may be given several times."),
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="Running English text in place of wikitext: a file, or a folder.")
    ] = None,
    draws: Annotated[int, typer.Option(min=0, help="Of the bootstrap over documents.")] = 400,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Say which units hold a property, how few are needed, and what trivial predictors do as well.

    Properties are listed by brodmann list properties. Documents that test are none of those that train. For example:

      brodmann probe twin-language-topographic --layer transformer.h.1.mlp.gelu

      brodmann probe twin-vision-topographic --layer layer4.0.conv1 --property drawn_is_face,is_large --optimal
    """
    from ...brain_data.probing.base import PROPERTIES
    from ...brain_data.probing.material import Material

    asked = None if names is None else [one.strip() for one in names.split(",") if one.strip()]
    for name in asked or ():
        if name not in PROPERTIES:
            raise unknown("property", name, PROPERTIES, hint=PROPERTIES.hint)
    if asked == []:
        raise UserError("--property names none: separate names with commas")
    from .inside import network, own_dictionary

    dictionary = None if features is None else own_dictionary(features)
    layers = [one.strip() for one in (layer or "").split(",") if one.strip()]
    if not layers and dictionary is not None:
        layers = [dictionary.site.layer] if dictionary.site.layer else []
    if not layers:
        raise UserError("name a layer with --layer: brodmann models info shows them")
    if dictionary is not None and len(layers) > 1:
        raise UserError(f"--features is of one layer, and --layer names {len(layers)}")
    at_hand = Material.at_hand(*(one.expanduser() for one in material or ()), text=texts)
    opened = network(model)
    encode: Any = None if dictionary is None else (lambda rows: dictionary.encode(rows).dense())
    from ...analysis.interpretability.probes.layer import probe_layer

    found = [
        probe_layer(
            opened,
            one,
            asked,
            at_hand,
            most=most,
            optimal=optimal,
            seconds=seconds,
            gamma=gamma,
            encode=encode,
            n_draws=draws,
            random_state=seed,
        )
        for one in layers
    ]
    if as_json:
        print_json(
            {
                "model": opened.identifier,
                "features": None if dictionary is None else dictionary.digest,
                "seed": seed,
                "layers": [one.plain() for one in found],
            }
        )
        return
    for one in found:
        _show(one, opened.identifier, "features" if dictionary is not None else "units")
    if len(found) > 1:
        _show_fingerprints(found)


def _show(found: "LayerProbes", model: str, what: str) -> None:
    from .terminal import table

    sizes = next(iter(next(iter(found.probes.values())).values())).adaptive
    ks = [point.k for point in sizes if point.k in (1, 4, 32)]
    rows = [
        _row(name, pooling, one, ks) for name, each in found.probes.items() for pooling, one in each.items()
    ]
    columns = (
        "property",
        "row",
        "test",
        *(f"k={k}" for k in ks),
        "all",
        "95 %",
        "random 4",
        "rotated 1",
        "trivial",
        "by",
        "tokens",
        "shown",
    )
    table(f"F1 on test documents: {model}, {found.layer}, {found.n_units} {what}", columns, rows)
    say(
        "\nk: adaptive thresholding; random and rotated: the same number of random units, one unit of a random basis; "
        "trivial: the best of length, frequency, first token, luminance; tokens: a table of tokens, without the "
        "network; "
        "shown: F1 of all or of the last k is .02 above trivial and its AUROC above .5 with its interval"
    )
    if certified := [
        (name, one.point.k, one)
        for name, each in found.probes.items()
        for p in each.values()
        for one in p.optimal
    ]:
        table(
            "\nBest units of the 50 of largest mean difference: optimal for the filtered, regularised problem "
            "up to its gap",
            ("property", "k", "F1", "objective", "of adaptive", "bound", "gap", "cuts", "seconds", "units"),
            [
                (
                    name,
                    str(k),
                    f"{one.point.scores.f1:.3f}",
                    f"{one.certificate.objective:.4f}",
                    f"{one.adaptive_objective:.4f}",
                    f"{one.certificate.bound:.4f}",
                    f"{100 * one.certificate.gap:.2f} %",
                    str(one.certificate.n_cuts),
                    f"{one.certificate.seconds:.1f}",
                    " ".join(map(str, one.point.units)),
                )
                for name, k, one in certified
            ],
        )
    _show_fingerprints([found])
    for name, reason in found.skipped.items():
        say(f"skipped   {name}: {reason}")


def _row(name: str, pooling: str, one: "Probe", ks: list[int]) -> tuple[str, ...]:
    by_size = {point.k: point for point in one.adaptive}
    whole = one.adaptive[-1]
    low, high = whole.intervals.get("f1", (float("nan"), float("nan")))
    trivial, best = one.best_trivial
    return (
        name,
        pooling,
        str(one.n_test),
        *(f"{by_size[k].scores.f1:.3f}" if k in by_size else "-" for k in ks),
        f"{whole.scores.f1:.3f}",
        f"{low:.2f}-{high:.2f}" if np.isfinite(low) else "-",
        _of_size(one.random, 4),
        _of_size(one.rotated, 1),
        f"{best:.3f}",
        trivial.removeprefix("mean ").replace("_", " ").replace("log frequency", "frequency"),
        f"{one.table.f1:.3f}" if one.table else "-",
        "yes" if one.is_shown else "not shown",
    )


def _of_size(draws: "list[list[Point]]", k: int) -> str:
    own = next((one for one in draws if one[0].k == k), None)
    return "-" if own is None else f"{np.mean([point.scores.f1 for point in own]):.3f}"


def _show_fingerprints(found: "list[LayerProbes]") -> None:
    from .terminal import table

    if not any(one.fingerprint.n_properties for one in found):
        say("\nno property is shown, so that nothing can be said of superposition")
        return
    table(
        "\nSuperposition, over the properties that are shown",
        (
            "layer",
            "properties",
            "units needed",
            "F1 all - F1 of 1",
            "shared",
            "by chance",
            "p",
            "most of one unit",
        ),
        [
            (
                one.layer,
                str(one.fingerprint.n_properties),
                f"{one.fingerprint.median_k:g}",
                f"{one.fingerprint.median_gap:.3f}",
                f"{one.fingerprint.shared:.2f}",
                f"{one.fingerprint.expected_shared:.2f}",
                f"{one.fingerprint.p:.3f}",
                str(int(one.fingerprint.serves.max(initial=0))),
            )
            for one in found
        ],
    )
