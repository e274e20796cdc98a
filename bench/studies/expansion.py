"""From patterns to cells: which models and benchmarks a study names, and what is left out, with the reason."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple, TypeVar

from ...brain_data.catalogue import is_installed
from ...errors import NotAvailableError, UserError, unknown
from ...models.catalogue import MODELS, SCHEMES, list_models
from ...models.loading import check_name
from ..benchmark import BenchmarkCard, benchmark_card, list_benchmarks, with_folds
from ..score_key import BRAIN
from .cells import Cell
from .study_file import Entries

T = TypeVar("T")
_MOST = 100_000
_ON = " on "
_KNOWS_MODALITY = {"timm": "vision", "torchvision": "vision", "column": None}


class LeftOut(NamedTuple):
    """What is not scored, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Expansion:
    """What a study consists of.

    Attributes
    ----------
    cells : list of Cell
        In the order in which the file names models, then benchmarks.
    left_out : list of LeftOut
    """

    cells: list[Cell]
    left_out: list[LeftOut]


def expanded(study: Entries) -> Expansion:
    """All cells of a study.

    Raises
    ------
    UserError
        For names that lead nowhere, patterns that match nothing, and a study without a cell.
    """
    left_out: list[LeftOut] = []
    models = list(dict.fromkeys(name for one in study.models for name in _models(one, left_out)))
    cards = {card.identifier: card for one in study.benchmarks for card in _benchmarks(one, left_out)}
    wanted = {(model, name): False for model in models for name in cards}
    for model, name in study.pairs:
        _check_model(model)
        cards[name] = _named_benchmark(name)
        wanted[model, name] = True
    kept = [pair for pair in wanted if not any(_matches(*pair, one) for one in study.exclude)]
    for one in study.exclude:
        if not any(_matches(*pair, one) for pair in wanted):
            raise UserError(f"exclude {one!r} matches nothing of this study")
    absent = [one.what for one in left_out]
    _check_patterns("layers", study.layers, [*(model for model, _ in wanted), *absent])
    for entry, table in (("beyond", study.beyond), ("folds", study.folds)):
        _check_patterns(entry, table, [*(name for _, name in wanted), *absent])
    cells: list[Cell] = []
    for model, name in kept:
        why = _misfit(model, cards[name])
        if why and wanted[model, name]:
            raise UserError(f"the pair {model}{_ON}{name}: {why}")
        if why:
            left_out.append(LeftOut(f"{model}{_ON}{name}", why))
        else:
            cells += _cells(study, model, cards[name], left_out)
        if len(cells) > _MOST:
            raise UserError(f"a study holds at most {_MOST:,} scores: divide it")
    if not cells:
        said = "".join(f"; {one.what}: {one.why}" for one in left_out[:3])
        raise UserError(f"there is nothing to score{said}")
    return Expansion(list(dict.fromkeys(cells)), list(dict.fromkeys(left_out)))


def only_matching(found: Expansion, pattern: str) -> Expansion:
    """The cells whose model, benchmark, or ``MODEL on BENCHMARK`` matches.

    Raises
    ------
    UserError
        Where none does.
    """
    cells = [cell for cell in found.cells if _matches(cell.model, cell.benchmark, pattern)]
    if not cells:
        raise UserError(f"--only {pattern!r} matches none of {len(found.cells)} scores of this study")
    return Expansion(cells, found.left_out)


def _models(pattern: str, left_out: list[LeftOut]) -> Iterator[str]:
    if pattern == BRAIN or not _is_glob(pattern):
        _check_model(pattern)
        yield pattern
        return
    scheme, colon, rest = pattern.partition(":")
    if colon:
        names = SCHEMES[scheme].names
        if names is None:
            raise UserError(f"{pattern!r}: what stands behind {scheme}: cannot be listed, so write names out")
        found = [f"{scheme}:{name}" for name in names(rest)]
        if not found:
            raise UserError(f"no model matches {pattern!r}: is the package {scheme} installed?")
        yield from found
        return
    cards = list_models(pattern)
    if not cards:
        raise unknown("model", pattern, MODELS, hint=MODELS.hint)
    for card in cards:
        if card.installed:
            yield card.identifier
        else:
            left_out.append(LeftOut(card.identifier, f"not installed: brodmann models add {card.identifier}"))


def _check_model(name: str) -> None:
    if name == BRAIN:
        return
    check_name(name)
    if name in MODELS and not MODELS[name].card.installed:
        raise NotAvailableError(
            f"the weights of {name!r} are not installed: brodmann models add {name} --from FOLDER"
        )


def _benchmarks(pattern: str, left_out: list[LeftOut]) -> Iterator[BenchmarkCard]:
    if not _is_glob(pattern):
        yield _named_benchmark(pattern)
        return
    cards = list_benchmarks(pattern)
    if not cards:
        raise unknown(
            "benchmark",
            pattern,
            [card.identifier for card in list_benchmarks()],
            hint="list them with: brodmann benchmarks list",
        )
    for card in cards:
        if is_installed(card.dataset):
            yield card
        else:
            why = f"the data set {card.dataset} is not installed: brodmann data add {card.dataset}"
            left_out.append(LeftOut(card.identifier, why))


def _named_benchmark(name: str) -> BenchmarkCard:
    card = benchmark_card(name)
    if not is_installed(card.dataset):
        raise NotAvailableError(
            f"{name}: the data set {card.dataset!r} is not installed: brodmann data add {card.dataset}"
        )
    return card


def _misfit(model: str, card: BenchmarkCard) -> str:
    """Why a model is not shown a benchmark's stimuli, as far as names tell; empty where it is."""
    if model == BRAIN:
        return "" if card.metric == "decoding" else "a recording is decoded from itself by decoding alone"
    modality = MODELS[model].card.modality if model in MODELS else _of_scheme(model)
    if modality is None or modality == card.modality:
        return ""
    return f"a {modality} model and a {card.modality} benchmark"


def _of_scheme(model: str) -> str | None:
    return _KNOWS_MODALITY.get(model.partition(":")[0])


def _cells(study: Entries, model: str, card: BenchmarkCard, left_out: list[LeftOut]) -> Iterator[Cell]:
    folds = _by_glob(study.folds, card.identifier)
    if folds is not None:
        try:
            with_folds(card, folds)
        except UserError as error:
            left_out.append(LeftOut(f"{model}{_ON}{card.identifier}", str(error)))
            return
    layers, beyond = _by_glob(study.layers, model), _by_glob(study.beyond, card.identifier)
    for readout in study.readouts:
        if "text" in readout and card.modality != "language":
            left_out.append(LeftOut(f"{model}{_ON}{card.identifier}", f"text = {readout['text']}: no texts"))
            continue
        for seed in study.seeds:
            yield Cell(
                model,
                card.identifier,
                layers=None if layers is None else tuple(layers),
                seed=seed,
                bootstraps=study.bootstraps,
                permutations=study.permutations,
                beyond=None if beyond is None else tuple(beyond),
                folds=folds,
                batch_size=study.batch_size,
                **readout,
            )


def _check_patterns(entry: str, table: Mapping[str, object], names: Collection[str]) -> None:
    """A misspelt pattern would score with other options than were asked for, without a word."""
    for glob in table:
        if not any(fnmatchcase(name, glob) for name in names):
            raise unknown(f"name or pattern in {entry}", glob, names)


def _by_glob(table: Mapping[str, T], name: str) -> T | None:
    """What the first pattern that matches stands for."""
    return next((value for glob, value in table.items() if fnmatchcase(name, glob)), None)


def _is_glob(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _matches(model: str, benchmark: str, pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in (model, benchmark, f"{model}{_ON}{benchmark}"))
