"""Topographic networks against their baseline twins: layout, dimensionality, task, brain, cost of compression."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from ...analysis.representation.dimensionality import corrected_participation_ratio, participation_ratio
from ...analysis.representation.selectivity import category_selectivity
from ...analysis.spatial.morans_i import morans_i
from ...analysis.statistics.paired_tests import paired_difference, t_interval
from ...brain_data.stimuli.localizers import PICTURES, SENTENCES, localizer
from ...errors import UserError
from ...files import digest_of, parse_json, write_json
from ...models.extraction.readout import EVERYTHING, Readout
from ...models.extraction.torch_model import Network
from ...models.interventions import compression
from ...models.interventions.compression import Sharing
from ...models.topography.topoloss import incoming_weights, neighbor_similarity
from ...models.training.images import LabeledImages
from ...models.training.load import as_model, read_network
from ...models.training.loop import Data, evaluate, recalibrated, train
from ...models.training.recipe import Recipe
from ...models.training.texts import Corpus, TextTokenizer
from ...progress import track
from ..scoring import score

SHARES = (0.5, 0.33, 0.2, 0.1)
BENCHMARKS = {"vision": "simulated-cortex.IT-ridge", "language": "simulated-cortex-language.language-ridge"}
LOCALIZERS = {"vision": PICTURES, "language": SENTENCES}
TAUS = {"vision": 30.0, "language": 1.0}
"""Strengths at which the small networks of :mod:`brodmann.models.training` keep their task score nearly whole."""
METHODS = ("nearest", "random layout", "k-means", "L1", "trained small")
_N_NULL = 200
_VERSION = 2


@dataclass(frozen=True)
class TwinStudy:
    """What is trained and measured.

    Attributes
    ----------
    recipe : Recipe
        Of the topographic networks; the baselines have tau 0.
    seeds : sequence of int
        Each trains one topographic network and one baseline from the same first weights and batches.
    shares : sequence of float
        Of the units of compressible layers that are kept.
    benchmark : str
        For the brain score; the layers are those that are summed into the residual stream.
    localizer : str
        Whose categories the units' tuning is measured with (:func:`brodmann.brain_data.stimuli.localizers.localizer`).
    """

    recipe: Recipe
    seeds: Sequence[int] = (0, 1, 2, 3, 4)
    shares: Sequence[float] = SHARES
    benchmark: str = ""
    localizer: str = ""

    def __post_init__(self) -> None:
        """Fill in the defaults of the modality."""
        if not self.recipe.tau:
            raise UserError("a study of twins needs a tau above 0 for the topographic networks")
        if not self.seeds:
            raise UserError("a study of twins needs at least one seed")
        kind = self.recipe.modality
        object.__setattr__(self, "benchmark", self.benchmark or BENCHMARKS[kind])
        object.__setattr__(self, "localizer", self.localizer or LOCALIZERS[kind])


def run_twins(study: TwinStudy, data: Data, folder: Path) -> dict[str, Any]:
    """Train what is not trained yet, measure what is not measured yet, and write ``twins.json``.

    Parameters
    ----------
    study : TwinStudy
    data : LabeledImages or Corpus
    folder : Path
        A folder a network; a study that was interrupted goes on.

    Returns
    -------
    dict
        ``networks``: the measures of each; ``summary``: mean, 95 % interval over seeds (t distribution) and the paired
        difference of topographic and baseline.
    """
    recipes = [
        one
        for seed in study.seeds
        for one in (_with(study.recipe, seed=seed), _with(study.recipe, seed=seed).baseline())
    ]
    networks = []
    for recipe in recipes:
        train(recipe, data, folder / recipe.identifier)
        networks.append(_measured(study, recipe, data, folder))
    summary = _summary(networks)
    content = {
        "modality": study.recipe.modality,
        "tau": study.recipe.tau,
        "seeds": list(study.seeds),
        "benchmark": study.benchmark,
        "localizer": study.localizer,
        "shares": list(study.shares),
        "networks": networks,
        "summary": summary,
    }
    write_json(folder / "twins.json", content)
    return content


def _with(recipe: Recipe, **changes: Any) -> Recipe:
    return Recipe(**(asdict(recipe) | changes))


def _measured(study: TwinStudy, recipe: Recipe, data: Data, folder: Path) -> dict[str, Any]:
    """The measures of one network, read where they are there already."""
    path = folder / recipe.identifier / "measures.json"
    key = digest_of(_VERSION, recipe.key(data.digest), list(study.shares), study.benchmark, study.localizer)
    try:
        known = parse_json(path.read_bytes())
        if known["key"] == key:
            return dict(known)
    except (OSError, ValueError, KeyError):
        pass
    network = read_network(folder / recipe.identifier, recipe)
    measures = {
        "key": key,
        "identifier": recipe.identifier,
        "kind": "topographic" if recipe.tau else "baseline",
        "seed": recipe.seed,
        **_whole(study, recipe, network, data),
        "compressed": list(_compressed(study, recipe, network, data, folder)),
    }
    write_json(path, measures)
    return measures


def _whole(study: TwinStudy, recipe: Recipe, network: nn.Module, data: Data) -> dict[str, Any]:
    """Task, tuning and dimensionality of the network as it was trained."""
    stimuli = localizer(study.localizer)
    model = _model(recipe, network, data, Readout(pool="mean" if recipe.modality == "vision" else "none"))
    sheets = {sheet.layer: sheet for sheet in recipe.sheets(network)}
    activations = model.extract(stimuli, list(sheets))
    kinds = stimuli["category"].to_numpy()
    targets = sorted(set(kinds)) if len(set(kinds)) > 2 else [_sentences(kinds)]
    layers: list[dict[str, Any]] = []
    for name, sheet in sheets.items():
        values = np.asarray(activations[name], np.float64)
        maps = {
            target: category_selectivity(values, kinds, target)["dprime"].to_numpy() for target in targets
        }
        found = [morans_i(one, sheet, permutations=_N_NULL) for one in maps.values() if one.any()]
        weights = incoming_weights(network.get_submodule(name)).detach()
        layers.append(
            {
                "layer": name,
                "n_units": len(sheet),
                "morans_i": float(np.mean([one.I for one in found])),
                "morans_i_null_sd": float(np.mean([one.null_sd for one in found])),
                "morans_i_p": float(max(one.p for one in found)),
                "maps": {str(target): [round(float(v), 4) for v in one] for target, one in maps.items()},
                "shape": list(sheet.shape or ()),
                "smoothness": float(neighbor_similarity(weights, sheet.shape)),
                "participation_ratio": participation_ratio(values),
                "participation_ratio_corrected": corrected_participation_ratio(values),
                "n_stimuli": len(values),
            }
        )
    return {
        "task": evaluate(recipe, data, network),
        "layers": layers,
        **{
            name: float(np.mean([layer[name] for layer in layers]))
            for name in ("morans_i", "smoothness", "participation_ratio", "participation_ratio_corrected")
        },
    }


def _sentences(kinds: npt.NDArray[Any]) -> Any:
    """Of two categories the one to contrast with the other: sentences, else the first by name."""
    names = sorted(set(kinds))
    return "sentences" if "sentences" in names else names[0]


def _compressed(
    study: TwinStudy, recipe: Recipe, network: nn.Module, data: Data, folder: Path
) -> Iterator[dict[str, Any]]:
    """Task score, brain score and dimensionality by method and share that is kept."""
    names = [link.layer for link in compression.links(network)]
    sheets = {sheet.layer: sheet for sheet in recipe.sheets(network)}

    def shrunk(choose: Callable[[str, float], Sharing], share: float) -> nn.Module:
        return compression.shrink(network, {name: choose(name, share) for name in names})

    def nearest(name: str, share: float) -> Sharing:
        return compression.nearest_on_sheet(sheets[name], share)

    def random_layout(name: str, share: float) -> Sharing:
        return compression.nearest_on_sheet(sheets[name].permuted(recipe.seed), share)

    def groups(name: str, share: float) -> Sharing:
        weights = incoming_weights(network.get_submodule(name)).detach().numpy()
        return compression.groups_by_weights(weights, share, random_state=recipe.seed)

    ways: dict[str, Callable[[float], nn.Module]] = {
        "nearest": lambda share: shrunk(nearest, share),
        "random layout": lambda share: shrunk(random_layout, share),
        "k-means": lambda share: shrunk(groups, share),
        "L1": lambda share: compression.pruned(network, names, share),
    }
    if not recipe.tau:
        ways["trained small"] = lambda share: _trained_small(recipe, share, data, folder)
    yield {
        "method": "whole",
        "share": 1.0,
        "task": evaluate(recipe, data, network),
        "brain": _brain(study, recipe, network, data),
        "participation_ratio": _dimensionality(study, recipe, network, data),
        "n_weights": sum(value.numel() for value in network.parameters()),
    }
    steps = [(method, share) for method in ways for share in study.shares]
    for method, share in track(steps, f"compressing {recipe.identifier}"):
        small = ways[method](share)
        if method != "trained small":
            small = recalibrated(small, data)
        yield {
            "method": method,
            "share": share,
            "task": evaluate(recipe, data, small),
            "brain": _brain(study, recipe, small, data),
            "participation_ratio": _dimensionality(study, recipe, small, data),
            "n_weights": sum(value.numel() for value in small.parameters()),
        }


def _trained_small(recipe: Recipe, share: float, data: Data, folder: Path) -> nn.Module:
    small = _with(recipe, inner_share=share)
    train(small, data, folder / small.identifier)
    return read_network(folder / small.identifier, small)


def _model(recipe: Recipe, network: nn.Module, data: Data, readout: Readout = EVERYTHING) -> Network:
    tokenizer = TextTokenizer(data.tokenizer, recipe.size) if isinstance(data, Corpus) else None
    model = as_model(recipe, network, recipe.identifier, tokenizer, cache=False)
    assert isinstance(model, Network)
    return model.with_readout(readout)


def _blocks(recipe: Recipe, model: Network) -> list[str]:
    """The layers that are summed into the residual stream: their width does not change when inner layers shrink."""
    depth = 1 if recipe.modality == "vision" else 2
    return [name for name in model.layers if name.count(".") == depth]


def _brain(study: TwinStudy, recipe: Recipe, network: nn.Module, data: Data) -> float:
    """The benchmark's headline, without interval and p value."""
    model = _model(recipe, network, data)
    return float(
        score(
            model,
            study.benchmark,
            _blocks(recipe, model),
            n_bootstraps=0,
            n_permutations=0,
            beyond=(),
            run="twins",
        )
    )


def _dimensionality(study: TwinStudy, recipe: Recipe, network: nn.Module, data: Data) -> float:
    """Participation ratio of the blocks' outputs to the localizer's stimuli, mean over blocks."""
    model = _model(recipe, network, data, Readout(pool="mean" if recipe.modality == "vision" else "none"))
    found = model.extract(localizer(study.localizer), _blocks(recipe, model))
    return float(np.mean([participation_ratio(np.asarray(one)) for one in found.values()]))


def _summary(networks: list[dict[str, Any]]) -> dict[str, Any]:
    """Every measure by kind, and the paired difference, over the seeds."""
    task = "accuracy" if "accuracy" in networks[0]["task"] else "loss"
    measures: dict[str, Callable[[dict[str, Any]], float]] = {
        "morans_i": lambda one: float(one["morans_i"]),
        "smoothness": lambda one: float(one["smoothness"]),
        "participation_ratio": lambda one: float(one["participation_ratio"]),
        "participation_ratio_corrected": lambda one: float(one["participation_ratio_corrected"]),
        task: lambda one: float(one["task"][task]),
        "brain": lambda one: float(one["compressed"][0]["brain"]),
    }
    for method, share in sorted({(c["method"], c["share"]) for one in networks for c in one["compressed"]}):
        if method not in ("trained small", "whole"):
            name = f"cost in {task}, {method}, {share:g} kept"
            measures[name] = partial(_cost, task=task, method=method, share=share)
    summary = {}
    for name, measure in measures.items():
        by_kind = {
            kind: np.array([measure(one) for one in networks if one["kind"] == kind])
            for kind in ("topographic", "baseline")
        }
        tested = paired_difference(by_kind["topographic"], by_kind["baseline"])
        summary[name] = {kind: interval(values) for kind, values in by_kind.items()} | {
            "difference": interval(by_kind["topographic"] - by_kind["baseline"])
            | {"p": tested.p, "permuted": tested.permuted, "smallest_p": tested.smallest_p}
        }
    return summary


def _cost(one: dict[str, Any], task: str, method: str, share: float) -> float:
    """How much worse the task is done: accuracy lost, or loss gained."""
    small = next(c for c in one["compressed"] if c["method"] == method and c["share"] == share)
    change = float(small["task"][task]) - float(one["task"][task])
    return -change if task == "accuracy" else change


def interval(values: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Mean, 95 % interval by the t distribution, and n; no interval for one value.

    Parameters
    ----------
    values : array of shape (n,)
    """
    mean, n = float(values.mean()), len(values)
    low, high = t_interval(values) if n > 1 else (None, None)
    return {"mean": mean, "low": low, "high": high, "n": n}


def check_data(recipe: Recipe, data: Data) -> Recipe:
    """The recipe with the number of classes that the pictures have."""
    if isinstance(data, LabeledImages):
        return _with(recipe, n_classes=len(data.classes))
    return recipe
