"""The commands that measure layouts: analyze, dimensions."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UserError, unknown
from ...files import file_name
from .analyze_maps import (
    check_map_options,
    is_map,
    maps_text,
    meshes_of,
    report_of_maps,
    save_contrasts,
    save_maps,
)
from .common import AllowStochastic, Json, print_json, say

if TYPE_CHECKING:
    from ...analysis.topography.contrasts import LayoutOptions
    from ...brain_data.meshes import Mesh
    from ...models.extraction.torch_model import Network


class Weights(StrEnum):
    """Who counts as a neighbour."""

    queen = "queen"
    rook = "rook"
    nearest = "nearest"
    band = "band"
    mesh = "mesh"


Localizer = Annotated[
    str | None,
    typer.Option(
        help="drawn-localizer, gratings, sentences-nonwords, language-conditions, nouns-verbs, concrete-abstract, "
        "a folder of pictures (fLoc's too), or a .csv of labelled texts."
    ),
]
By = Annotated[str | None, typer.Option(help="The column that holds the category.")]
Seed = Annotated[int, typer.Option(min=0, help="Of every random draw.")]


def analyze(
    name: Annotated[
        str,
        typer.Argument(
            help="A network, as score takes it, an installed data set, or with --surface a file of maps of cortex."
        ),
    ],
    layer: Annotated[str | None, typer.Option(help="Of a network; a table of all layers by default.")] = None,
    localizer: Localizer = None,
    positive: Annotated[
        Path | None, typer.Option(help="Texts, one a line, against those of --negative.")
    ] = None,
    negative: Annotated[Path | None, typer.Option(help="See --positive.")] = None,
    by: By = None,
    contrast: Annotated[
        str | None,
        typer.Option(help="face, or face-house; several separated by commas; all categories by default."),
    ] = None,
    region: Annotated[str | None, typer.Option(help="Of a data set.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Of a data set whose subjects have positions of their own.")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="Adds every layer's raw score; only without --layer.")
    ] = None,
    wired_to: Annotated[
        str | None,
        typer.Option(help="Another layer: the length of the fibres between both sheets; with --layer."),
    ] = None,
    surface: Annotated[
        str | None,
        typer.Option(
            help="The mesh of a hemisphere's vertices, of a map or data set.", metavar="L=FILE,R=FILE"
        ),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Of a map: the vertices to take, those above 0.", metavar="FILE")
    ] = None,
    weights: Annotated[
        Weights | None,
        typer.Option(
            help="Who counts as a neighbour; mesh where there is one, else queen.", show_default=False
        ),
    ] = None,
    reach: Annotated[
        float | None,
        typer.Option(help="Units for nearest, distance for band, distance along the edges for mesh."),
    ] = None,
    fwhm: Annotated[float, typer.Option(min=0, help="Smoothing of the maps, in mm or cells.")] = 0.0,
    permutations: Annotated[int, typer.Option(min=99, help="Layouts of the null.")] = 999,
    threshold: Annotated[
        float | None, typer.Option(help="Of t, for patches; where q < 0.05 by default.")
    ] = None,
    seed: Seed = 0,
    allow_stochastic: AllowStochastic = False,
    folder: Annotated[Path, typer.Option(help="Where figure and report go.")] = Path("brodmann-analysis"),
    as_json: Json = False,
) -> None:
    """Measure selectivity, clustering against permuted layouts, and dimensionality, of a layer or of recorded voxels.

    For example:

      brodmann analyze twin-vision-topographic --layer layer4.0.conv1 --localizer drawn-localizer

      brodmann analyze twin-language-topographic --layer transformer.h.1.mlp.c_fc --positive toxic.txt --negative
      neutral.txt

      brodmann analyze haxby2001-slice --contrast house-face

      brodmann analyze lh.thickness --surface L=lh.pial
    """
    from ...analysis.topography.contrasts import LayoutOptions
    from ...brain_data.catalogue import list_datasets
    from ...models.catalogue import list_models

    kind = weights or (Weights.queen if surface is None else Weights.mesh)
    options = LayoutOptions(kind.value, reach, fwhm, permutations, threshold, seed)
    if weights is Weights.band and reach is None:
        raise UserError("--weights band needs --reach, the distance within which units are neighbours")
    if is_map(name, surface):
        given = {
            "--layer": layer, "--localizer": localizer, "--positive": positive, "--negative": negative, "--by": by,
            "--contrast": contrast, "--region": region, "--subject": subject, "--benchmark": benchmark,
            "--wired-to": wired_to, "--threshold": threshold,
        }  # fmt: skip
        check_map_options(given)
        found, drawn = report_of_maps(name, str(surface), mask, options)
        paths = save_maps(found, drawn, folder)
        if as_json:
            print_json(found | {"files": [str(path) for path in paths]})
            return
        say(maps_text(found))
        _print_files(paths)
        return
    if mask is not None:
        raise UserError("--mask is for a map of cortex, a file on the mesh that --surface names")
    targets = [one.strip() for one in (contrast or "").split(",") if one.strip()]
    datasets = {card.identifier for card in list_datasets()}
    known = datasets | {card.identifier for card in list_models()}
    if name not in known and Path(name).is_file():
        raise UserError(f"{name} is a file: a map of cortex needs its mesh, by --surface L=FILE,R=FILE")
    if name not in known and ":" not in name:
        raise unknown(
            "model or data set", name, known, hint="list them with: brodmann models list, data list"
        )
    if name in datasets:
        of_networks = {
            "--layer": layer,
            "--localizer": localizer,
            "--positive": positive,
            "--benchmark": benchmark,
            "--wired-to": wired_to,
            "--allow-stochastic": allow_stochastic or None,
        }
        wrong = next((option for option, value in of_networks.items() if value is not None), None)
        if wrong:
            raise UserError(
                f"{name} is a data set: {wrong} is for networks (--region and --contrast are for data sets)"
            )
        report, arrays, stem, meshes = _of_data(
            name, region, subject, by, targets, options, surface, chosen=weights is not None
        )
    else:
        if surface is not None or weights is Weights.mesh:
            raise UserError(
                f"{name} is no installed data set and no file: --surface and the weights mesh are for these"
            )
        if region or subject:
            raise UserError(f"{name} is no installed data set: --region and --subject are for data sets")
        if layer is None and wired_to:
            raise UserError("--wired-to needs --layer, the layer that the fibres begin at")
        if layer is not None and benchmark:
            raise UserError("--benchmark compares the layers of a network: leave --layer out")
        stimuli = _stimuli(name, localizer, positive, negative, by)
        network = _network(name, allow_stochastic=allow_stochastic)
        about = (name, layer, stimuli, targets, options, wired_to, benchmark)
        report, arrays, stem = _of_network(network, *about)
        meshes = None
    paths = _save(report, _figure(report, arrays), folder / stem)
    paths += _save_maps(report, arrays, folder / stem, meshes)
    if as_json:
        print_json(report | {"files": [str(path) for path in paths]})
        return
    if "layers" in report:
        _print_table(report)
    else:
        from .terminal import width
        from .topography_text import report_text

        say(report_text(report, width=width()))
    _print_files(paths)


def dimensions(
    models: Annotated[list[str], typer.Argument(help="Networks, as score takes them.")],
    benchmark: Annotated[str, typer.Option(help="Of the alignment score.")],
    localizer: Localizer = None,
    seed: Seed = 0,
    folder: Annotated[Path, typer.Option(help="Where figure and report go.")] = Path("brodmann-analysis"),
    as_json: Json = False,
) -> None:
    """Compare effective dimensionality with alignment to the brain across models, at the layer that the score chose.

    For example:

      brodmann dimensions twin-vision-topographic twin-vision-baseline random-convnet --benchmark
      simulated-cortex.IT-ridge
    """
    from ...analysis.representation.dimensionality_figure import dimensions_figure
    from ..studies.dimensionality_vs_score import dimensions_against_scores

    found = dimensions_against_scores(
        models, benchmark, lambda name: _stimuli(name, localizer, None, None, None), seed
    )
    figure = dimensions_figure(found["models"], benchmark, found["rank"])
    paths = _save(found, figure, folder / f"dimensions__{_file_name(benchmark)}")
    if as_json:
        print_json(found | {"files": [str(path) for path in paths]})
        return
    from .terminal import table

    rows = [
        (
            one["model"],
            one["layer"],
            one["why_none"] or f"{one['corrected']:.3g} ({one['low']:.3g} to {one['high']:.3g})",
            f"{one['score']:.3f}",
        )
        for one in found["models"]
    ]
    table(f"dimensionality and {benchmark}", ("model", "layer", "participation ratio", "score"), rows)
    rank = found["rank"]
    said = (
        "too few to correlate"
        if rank["r"] is None
        else f"Spearman r {rank['r']:.2f}, p {rank['p']:.2g} ({rank['permuted']})"
    )
    first = found["models"][0]
    say(f"\n{rank['n']} models: {said}; {first['estimator']}, {first['n_samples']} stimuli each")
    _print_files(paths)


def _stimuli(
    name: str, localizer: str | None, positive: Path | None, negative: Path | None, by: str | None
) -> Any:
    from ...brain_data.stimuli.language_localizers import text_contrast
    from ...brain_data.stimuli.localizers import localizer as load

    if (positive is None) != (negative is None):
        raise UserError("--positive and --negative go together: two files of texts, one a line")
    if positive is not None and negative is not None:
        if localizer is not None:
            raise UserError("give --localizer, or --positive and --negative")
        return text_contrast(positive, negative)
    if localizer is None:
        modality = _network(name).modality
        localizer = "drawn-localizer" if modality == "vision" else "sentences-nonwords"
    if localizer == "gratings":  # as large as the network sees them, so that none is finer than its pixels
        from ...brain_data.stimuli.gratings import SIZE, gratings

        return gratings(int(getattr(getattr(_network(name), "preprocess", None), "size", SIZE)))
    return load(localizer, by=by)


def _network(name: str, *, allow_stochastic: bool = False) -> "Network":
    from dataclasses import replace

    from ...models import load_model
    from ...models.extraction.steadiness import PASSES
    from ...models.extraction.torch_model import Network

    opened = load_model(name)
    if not isinstance(opened, Network):
        raise UserError(f"{name!r} is no network: it has no layers of units to analyse")
    return opened.with_readout(replace(opened.readout, passes=PASSES)) if allow_stochastic else opened


def _of_network(
    network: "Network",
    name: str,
    layer: str | None,
    stimuli: Any,
    targets: list[str],
    options: "LayoutOptions",
    wired_to: str | None,
    benchmark: str | None,
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The report of a layer, or of all; what its figure needs; the name of its files."""
    from ...analysis.topography.analyze import layer_report, layers_report
    from ..studies.dimensionality_vs_score import layer_scores

    stem = "__".join(map(_file_name, (name, layer or "layers", stimuli.identifier)))
    if layer is None:
        return layers_report(network, stimuli, targets, options, benchmark, layer_scores), {}, stem
    return *layer_report(network, layer, stimuli, targets, options, wired_to), stem


def _of_data(
    name: str,
    region: str | None,
    subject: str | None,
    by: str | None,
    targets: list[str],
    options: "LayoutOptions",
    surface: str | None,
    *,
    chosen: bool,
) -> "tuple[dict[str, Any], dict[str, Any], str, Mapping[str, Mesh] | None]":
    """The same of a region, or of all where there are several; along the mesh, where there is one."""
    from dataclasses import replace

    from ...analysis.topography.analyze import region_report, regions_report
    from ...brain_data import load_dataset

    dataset = load_dataset(name)
    meshes = meshes_of(dataset, surface)
    if meshes is not None and not chosen:
        options = replace(options, weights="mesh")
    of_all = region is None and len(dataset.regions) > 1
    parts = (dataset.identifier, "regions" if of_all else region, subject, by, "-".join(targets))
    stem = "__".join(_file_name(part) for part in parts if part)
    if of_all:
        return regions_report(dataset, subject, by or "", targets, options, meshes), {}, stem, meshes
    return *region_report(dataset, region, subject, by or "", targets, options, meshes), stem, meshes


def _figure(report: dict[str, Any], arrays: dict[str, Any]) -> Any:
    if "layers" in report:
        from ...analysis.representation.dimensionality_figure import layers_figure

        return layers_figure(report["layers"], f"{report['model']}, {report['stimuli']}")
    from ...analysis.topography.figure import grating_figure, layout_figure

    return grating_figure(report, arrays) if "orientation" in report else layout_figure(report, arrays)


def _save_maps(
    report: dict[str, Any], arrays: dict[str, Any], stem: Path, meshes: "Mapping[str, Mesh] | None"
) -> list[Path]:
    """The maps of every layout; of voxels in a standard space glass brains, of vertices surfaces."""
    paths = []
    if meshes is not None and "vertices" in arrays and "maps" in arrays:
        paths += save_contrasts(arrays["maps"], arrays["vertices"], meshes, stem)
    if "layout_maps" in arrays:
        from ...analysis.topography.report import write_maps

        paths.append(stem.with_name(f"{stem.name}.maps.npz"))
        write_maps(arrays, paths[-1])
    if str(report.get("standard_space", "")).startswith("MNI") and "maps" in arrays:
        from ...analysis.topography.cortex_figure import brain_figure
        from ...files import write_bytes
        from ..reports.render import bytes_of_figure

        for contrast, values in arrays["maps"].items():
            drawn = brain_figure(values, arrays["places"], f"{contrast} (t)")
            paths.append(stem.with_name(f"{stem.name}__glass-brain-{_file_name(contrast)}.png"))
            write_bytes(paths[-1], bytes_of_figure(drawn, "png"))
    return paths


def _print_table(report: dict[str, Any]) -> None:
    from .terminal import table
    from .topography_text import layers_rows

    title = f"{report['model']}, {report['stimuli']}: n = {report['layers'][0]['n_samples']}"
    table(title, *layers_rows(report))
    first = report["layers"][0]
    say(
        f"\ndimensions: participation ratio corrected for n ({first['estimator']}), in brackets that of these very "
        f"stimuli, at most {first['n_samples'] - 1}; I: Moran's, {report['weights']} neighbours; * q < 0.05 "
        f"over the whole table, against {report['permutations']} permuted layouts"
    )


def _save(report: dict[str, Any], figure: Any, stem: Path) -> list[Path]:
    from ...files import write_bytes, write_json
    from ...source_digest import code_digest
    from ..reports.render import bytes_of_figure
    from ..results.provenance import provenance
    from ..results.store import finite

    paths = [stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".json")]
    write_bytes(paths[0], bytes_of_figure(figure, "png"))
    code = code_digest(["analysis.topography.analyze"])
    report["provenance"] = provenance(code=code) | report.get("provenance", {})
    write_json(paths[1], finite(report))
    return paths


def _print_files(paths: list[Path]) -> None:
    labels = {".png": "figure", ".json": "report", ".npz": "maps", ".html": "page"}
    for path in paths:
        say(f"{labels[path.suffix]:<10}{path}")


def _file_name(text: str) -> str:
    return file_name(text)[-80:]
