"""The command that lists what every registry knows, and which package each thing comes from."""

from collections.abc import Iterator
from importlib import import_module
from typing import Annotated, Any

import typer

from ...errors import unknown
from .common import Json, print_json, say

KINDS = {
    "datasets": "brain_data.card:DATASETS",
    "formats": "brain_data.formats.base:FORMATS",
    "recordings": "brain_data.formats.recording:RECORDING_FORMATS",
    "localizers": "brain_data.stimuli.localizers:LOCALIZERS",
    "models": "models.catalogue:MODELS",
    "schemes": "models.catalogue:SCHEMES",
    "metrics": "bench.metrics.registries:METRICS",
    "normalizations": "bench.metrics.registries:NORMALIZATIONS",
    "ceilings": "bench.metrics.registries:CEILING_KINDS",
    "nuisances": "bench.metrics.registries:NUISANCE_SPACES",
    "benchmarks": "bench.benchmark:list_benchmarks",
    "variants": "analysis.interpretability.variants.base:VARIANTS",
    "layouts": "analysis.interpretability.formats.base:DICTIONARY_FORMATS",
    "views": "analysis.interpretability.views.base:VIEWS",
    "descriptions": "analysis.interpretability.descriptions.base:FAMILIES",
    "properties": "brain_data.probing.base:PROPERTIES",
    "panels": "bench.reports.panel:PANELS",
    "executors": "bench.studies.executors.base:EXECUTORS",
}
"""Kind -> its registry, or the function that gives the cards of its catalogue, in this package."""
_SAYS = ("sentence", "description", "title", "kind")


def list_things(
    kind: Annotated[str | None, typer.Argument(help=f"One of {', '.join(KINDS)}; all by default.")] = None,
    as_json: Json = False,
) -> None:
    """List what can be named, and which package each thing comes from.

    For example:

      brodmann list

      brodmann list metrics
    """
    if kind is not None and kind not in KINDS:
        raise unknown("kind of thing", kind, KINDS)
    listed = {one: list(_things(KINDS[one])) for one in ([kind] if kind else KINDS)}
    if as_json:
        print_json(listed)
        return
    from .terminal import table

    for one, things in listed.items():
        rows = [(thing["name"], thing["from"], thing["what"]) for thing in things]
        table(f"{len(rows)} {one}", ("name", "from", "what"), rows)
        say()


def _things(place: str) -> Iterator[dict[str, str]]:
    from ...registry import Registry

    module, _, name = place.partition(":")
    source: Any = getattr(import_module(f"{__package__.partition('.')[0]}.{module}"), name)
    if isinstance(source, Registry):
        for name, thing in source.items():
            yield {"name": name, "from": _package(source.origin(name)), "what": _what(thing)}
    else:
        for card in source():
            yield {"name": card.identifier, "from": _package(__package__), "what": _what(card)}


def _package(module: str) -> str:
    """The package that a module belongs to; with its version where it is not this one."""
    from importlib.metadata import packages_distributions, version

    top = module.partition(".")[0]
    if top == __package__.partition(".")[0]:
        return top
    return " ".join(f"{one} {version(one)}" for one in packages_distributions().get(top, ())) or top


def _what(thing: Any) -> str:
    """What a thing says of itself: on its card where it has one, else in the first line of its docstring."""
    card = getattr(thing, "card", thing)
    said = next((str(getattr(card, name)) for name in _SAYS if getattr(card, name, "")), "")
    return said or (type(thing).__doc__ or "").partition("\n")[0]
