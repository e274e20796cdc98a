"""What a dictionary's features predict of a recording, beside everything as wide that was never learnt.

The SAE score with its interval; curves over how many features are taken, k50 and k90; the feature of every region. Each
column (features, neurons, untrained dictionaries) is scored as a model of its own, so that all that a benchmark knows,
context, folds, groups, ceiling, subjects, holds for it, and its record stands in the run with its provenance.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ...analysis.encoding.cross_validation import Fold, Splitter, nested_folds
from ...analysis.interpretability.quality.activation_matching import match_activations
from ...analysis.interpretability.quality.controls import untrained
from ...analysis.interpretability.quality.firing import sparse
from ...analysis.interpretability.voxels.expansions import (
    Expansion,
    principal,
    random_relu,
    random_relu_at_rate,
    rotated,
)
from ...analysis.interpretability.voxels.feature_regions import BestFeature, best_features, region_bars
from ...analysis.interpretability.voxels.sae_score import SaeScore, sae_score
from ...analysis.interpretability.voxels.sparse_voxels import SIZES, VoxelCurves, voxel_curves
from ...analysis.statistics.replicates import Replicates
from ...errors import UserError
from ...files import digest_of
from ...models.extraction.stimulus_rows import stimulus_rows
from ..benchmark import Benchmark, load_benchmark
from ..layer_comparison import layer_features
from ..metrics.recording import recording
from ..metrics.registries import CEILING_KINDS
from ..metrics.sampling import Sampling, sampling
from ..metrics.uncertainty import subsample_targets
from ..results.store import Run, arrays_of, open_run, record_of
from ..scoring import score
from .feature_model import Columns, FeatureModel, Reading, of_dictionary

if TYPE_CHECKING:
    from ...analysis.interpretability.dictionary import Dictionary
    from ...models.extraction.torch_model import Network

FEATURES, NEURONS = "features", "neurons"
_MOST_ROWS = 50_000
_MOST_TARGETS = 256
_PREFIXES = (16, 8, 4, 2)


@dataclass(frozen=True)
class FeatureDesign:
    """What features are held against.

    Attributes
    ----------
    n_controls : int
        Untrained dictionaries of the same width and sparsity.
    n_fold_seeds : int
        Seeds of folds for the curves.
    sizes : tuple of int
        Numbers of columns at which curves are taken.
    n_bootstraps, n_permutations : int
        For the interval and p of scores; of the curves' differences, draws.
    n_shuffles : int
        For the features of regions.
    seed : int
    """

    n_controls: int = 5
    n_fold_seeds: int = 3
    sizes: tuple[int, ...] = SIZES
    n_bootstraps: int = 1000
    n_permutations: int = 1000
    n_shuffles: int = 199
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a score of features without a control."""
        if self.n_controls < 1:
            raise UserError(
                "features are scored beside at least 1 untrained dictionary of the same width and sparsity, "
                f"not {self.n_controls}"
            )


@dataclass(frozen=True)
class FeatureScores:
    """What features predict of a recording.

    Attributes
    ----------
    benchmark : str
    sae : SaeScore
        In the units of the benchmark's score.
    against_neurons : SaeScore
        The same, with the layer's neurons in place of untrained dictionaries.
    raw : dict of str to float
        Raw value of features, neurons and untrained dictionaries (mean).
    curves : VoxelCurves
    table : DataFrame
        A row a set of columns: r by how many, ridge, k50, k90 (:meth:`.VoxelCurves.table`).
    differences : DataFrame
        Features less each other set: r of ridge and at the number chosen on inner folds, interval, p.
    needed : dict of str to (float, float)
        95 % of ``k50`` and ``k90`` of the features; inf where no number is enough.
    bars : DataFrame
        r of every feature with every region of the data set.
    best : dict of str to BestFeature
        By region.
    prefixes : dict of int to float
        Ridge r of the first F/16, F/8, ... features, of a dictionary whose order means something.
    notes : list of str
    record : dict
        Of the features, as the run keeps it.
    """

    benchmark: str
    sae: SaeScore
    against_neurons: SaeScore
    raw: dict[str, float]
    curves: VoxelCurves = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    needed: dict[str, tuple[float, float]]
    bars: pd.DataFrame = field(repr=False)
    best: dict[str, BestFeature]
    prefixes: dict[int, float]
    notes: list[str]
    record: dict[str, Any] = field(repr=False)

    def content(self) -> dict[str, Any]:
        """All but the arrays, as JSON writes it."""
        return {
            "benchmark": self.benchmark,
            "sae_score": asdict(self.sae),
            "against_neurons": asdict(self.against_neurons),
            "raw": self.raw,
            "curves": self.table.reset_index().to_dict("records"),
            "differences": self.differences.to_dict("records"),
            "needed": {name: list(bounds) for name, bounds in self.needed.items()},
            "regions": {name: asdict(one) for name, one in self.best.items()},
            "prefixes": {str(width): r for width, r in self.prefixes.items()},
            "notes": self.notes,
            "record": self.record,
        }


def feature_scores(
    model: "Network",
    layer: str,
    dictionary: "Dictionary",
    benchmark: Benchmark | str,
    design: FeatureDesign | None = None,
    *,
    frozen: "Dictionary | None" = None,
    second: "Dictionary | None" = None,
    run: str | Path | None = None,
) -> FeatureScores:
    """Score a layer's features against a recording, beside their controls.

    Parameters
    ----------
    model : Network
    layer : str
        ``MODULE#in`` for what a module is given.
    dictionary : Dictionary
    benchmark : Benchmark or str
        One that predicts single neuroids.
    design : FeatureDesign, optional
    frozen : Dictionary, optional
        One of the same width whose decoder stayed as drawn.
    second : Dictionary, optional
        Of another seed of learning: for the share of the features that both have, and that an untrained one has.
    run : str or Path, optional
        The run that keeps the records.

    Raises
    ------
    UserError
        For a benchmark of RDMs or of another modality, a dictionary of another layer.
    """
    design = design or FeatureDesign()
    loaded = load_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
    recorded = loaded.recording
    if recorded.cube is None:
        raise UserError(f"{recorded.name} was published as RDMs: features predict single neuroids")
    if not loaded.dataset.has_stimuli or model.modality != loaded.card.modality:
        raise UserError(f"{model.identifier} cannot be shown the stimuli of {loaded.identifier}")
    rows = _some_rows(model, layer, loaded)
    if rows.shape[1] != dictionary.n_units:
        raise UserError(
            f"the dictionary is of {dictionary.n_units} units, layer {layer!r} of {model.identifier} has "
            f"{rows.shape[1]}"
        )
    columns, notes = _columns(dictionary, rows, design, frozen)
    reading = Reading(model, layer, columns)
    store = open_run(run)
    controls = [one.name for one in columns if one.name.startswith("untrained")]
    scored = {
        name: _scored(reading, name, loaded, design, store, nuisances=name == FEATURES)
        for name in (FEATURES, NEURONS, *controls)
    }
    replicates = {name: _replicates(record) for name, record in scored.items()}
    sae = sae_score(replicates[FEATURES], [replicates[name] for name in controls])
    against_neurons = sae_score(replicates[FEATURES], [replicates[NEURONS]])
    values = {
        name: np.asarray(one, np.float64)
        for name, one in layer_features(FeatureModel(reading), loaded, list(reading.columns)).items()
    }
    curves = _curves(values, controls, loaded, design)
    table = curves.table(ceiling=_ceiling(loaded, curves))
    needed = {
        f"k{100 * share:.0f}": curves.needed_interval(FEATURES, share, max(design.n_bootstraps, 100))
        for share in (0.5, 0.9)
    }
    bars, best = _regions(values[FEATURES], loaded, design)
    matched = None if second is None else _matched(model, layer, dictionary, second, loaded, design)
    record = _kept(store, scored[FEATURES], sae, table, matched)
    return FeatureScores(
        loaded.identifier,
        sae,
        against_neurons,
        {
            FEATURES: float(scored[FEATURES]["raw"]),
            NEURONS: float(scored[NEURONS]["raw"]),
            "untrained": float(np.mean([scored[name]["raw"] for name in controls])),
        },
        curves,
        table,
        _differences(curves, design),
        needed,
        bars,
        best,
        _prefixes(values[FEATURES], dictionary, loaded, design),
        notes,
        record,
    )


def _some_rows(model: "Network", layer: str, benchmark: Benchmark) -> npt.NDArray[np.float32]:
    """Rows of the benchmark's stimuli, which give expansions scale, thresholds and axes; no response is seen."""
    kept, n = [], 0
    for values, _ in stimulus_rows(model, layer, benchmark.dataset.stimuli, context=benchmark.card.context):
        kept.append(values.numpy())
        n += len(values)
        if n >= _MOST_ROWS:
            break
    return np.concatenate(kept)


def _columns(
    dictionary: "Dictionary",
    rows: npt.NDArray[np.float32],
    design: FeatureDesign,
    frozen: "Dictionary | None",
) -> tuple[list[Columns], list[str]]:
    """Everything that is made of the layer's rows, and what could not be."""
    width, n_units, notes = dictionary.n_features, dictionary.n_units, []
    codes = dictionary.encode(rows)
    active = float((codes.values > 0).sum()) / len(rows)
    k = dictionary.weights.k or max(1, round(active))
    seen = digest_of(rows.tobytes())

    def of(expansion: Expansion, said: str) -> Columns:
        own = digest_of(expansion.name, expansion.width, expansion.seed, seen)
        return Columns(expansion.name, expansion.width, expansion, own, said)

    made = [
        of_dictionary(dictionary, FEATURES),
        Columns(NEURONS, n_units, lambda given: given, digest_of(NEURONS), f"{n_units} neurons"),
        Columns(
            "reconstruction",
            n_units,
            dictionary.reconstruct,
            dictionary.digest,
            "rows as the dictionary has them",
        ),
    ]
    for i in range(design.n_controls):
        control = untrained(dictionary, k, random_state=design.seed + i)
        name = "untrained TopK" if i == 0 else f"untrained TopK {i + 1}"
        made.append(
            replace(of_dictionary(control, name), said=f"{width} random directions, the {k} largest of a row")
        )
    made += [
        of(rotated(rows, seed=design.seed), "neurons in a random basis"),
        of(random_relu(rows, width, seed=design.seed), f"{width} random units, rectified"),
        of(principal(rows, width), "principal components of these rows"),
    ]
    try:
        rate = active / width
        made.append(
            of(
                random_relu_at_rate(rows, width, rate, seed=design.seed),
                f"{width} random units that fire at {rate:.2g}",
            )
        )
    except UserError as error:
        notes.append(f"random ReLU at the features' rate is left out: {error}")
    if frozen is not None:
        if frozen.n_features != width or frozen.n_units != n_units:
            raise UserError(f"the frozen dictionary has {frozen.n_features} features, the other {width}")
        made.append(of_dictionary(frozen, "frozen"))
    return made, notes


def _scored(
    reading: Reading, name: str, benchmark: Benchmark, design: FeatureDesign, store: Run, *, nuisances: bool
) -> dict[str, Any]:
    """The record of one set of columns."""
    made = score(
        FeatureModel(reading, [name]),
        benchmark,
        [name],
        run=store,
        seed=design.seed,
        n_bootstraps=design.n_bootstraps,
        n_permutations=design.n_permutations if name in (FEATURES, NEURONS) else 0,
        beyond=None if nuisances else (),
    )
    return record_of(made)


def _replicates(record: dict[str, Any]) -> Replicates:
    value = float("nan") if record["score"] is None else float(record["score"])
    return Replicates.of(value, arrays_of(record)) or Replicates(value)


def _curves(
    values: dict[str, npt.NDArray[np.float64]],
    controls: list[str],
    benchmark: Benchmark,
    design: FeatureDesign,
) -> VoxelCurves:
    """Curves of everything, of the untrained dictionaries the first; of large recordings some neuroids."""
    recorded = benchmark.recording
    how = sampling_of(benchmark)
    chosen = subsample_targets(recorded.members, design.seed, _MOST_TARGETS)
    place = {int(neuroid): i for i, neuroid in enumerate(chosen)}
    members = [np.array([place[one] for one in some.tolist() if one in place]) for some in recorded.members]
    shown = {name: one for name, one in values.items() if name not in controls[1:]}
    return voxel_curves(
        shown,
        recorded.mean[:, chosen],
        _folds(how, design.n_fold_seeds),
        groups=how.jackknife_groups if how.kind == "serial" else how.groups,
        members=members,
        weights=recorded.weights,
        sizes=design.sizes,
    )


def sampling_of(benchmark: Benchmark) -> Sampling:
    """How a benchmark divides its stimuli."""
    known = getattr(benchmark.metric, "sampling", None)
    return known if isinstance(known, Sampling) else sampling(benchmark.recording)


def _folds(how: Sampling, n_seeds: int) -> list[list[Fold]]:
    """The benchmark's own folds, then others that keep together what they do; named or serial folds are one set."""
    found = [list(how.folds)]
    if how.held_out or how.kind == "serial":
        return found
    for seed in range(1, n_seeds):
        outer = Splitter(how.n_splits, seed=1 + 10 * seed)
        inner = Splitter(how.inner_splits, seed=2 + 10 * seed)
        found.append(
            nested_folds(len(how.position), outer=outer, inner=inner, labels=how.labels, groups=how.groups)
        )
    return found


def _ceiling(benchmark: Benchmark, curves: VoxelCurves) -> npt.NDArray[np.float64] | None:
    """The r that noise allows of the region, the same for all of its neuroids."""
    known = benchmark.noise_ceiling
    if known.kind not in CEILING_KINDS or not np.isfinite(known.value):
        return None
    return np.full(curves.targets.shape[1], CEILING_KINDS[known.kind].best(known.value))


def _differences(curves: VoxelCurves, design: FeatureDesign) -> pd.DataFrame:
    n = max(design.n_bootstraps, 100)
    rows = []
    for name in curves.curves:
        if name == FEATURES:
            continue
        for at in ("ridge", "chosen"):
            found = curves.difference(FEATURES, name, at, n, design.seed)
            rows.append({"less": name, "at": at, **asdict(found)})
    return pd.DataFrame(rows)


def _regions(
    features: npt.NDArray[np.float64], benchmark: Benchmark, design: FeatureDesign
) -> tuple[pd.DataFrame, dict[str, BestFeature]]:
    """Bars of every feature over the regions of the data set, and the feature of each region, held out."""
    targets, regions = region_targets(benchmark)
    how = sampling_of(benchmark)
    best = best_features(
        features, targets, regions, groups=how.groups, n_shuffles=design.n_shuffles, random_state=design.seed
    )
    return region_bars(features, targets, regions), best


def region_targets(benchmark: Benchmark) -> tuple[npt.NDArray[np.float64], dict[str, npt.NDArray[np.intp]]]:
    """What all regions of a data set answered to the benchmark's stimuli, (n_stimuli, n_targets), and whose each is."""
    own = benchmark.recording
    if own.series is not None:
        named = {benchmark.card.region: own}
    else:
        named = {name: recording(benchmark.dataset, name) for name in benchmark.dataset.regions}
    same = {
        name: one
        for name, one in named.items()
        if one.cube is not None and np.array_equal(one.stimulus_ids, own.stimulus_ids)
    }
    means = [one.mean for one in same.values()]
    ends = np.cumsum([0, *(one.shape[1] for one in means)])
    regions = {name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(same)}
    return np.concatenate(means, axis=1), regions


def _prefixes(
    features: npt.NDArray[np.float64], dictionary: "Dictionary", benchmark: Benchmark, design: FeatureDesign
) -> dict[int, float]:
    """Ridge r of nested parts of a Matryoshka dictionary, from the general to the special."""
    if dictionary.variant != "matryoshka":
        return {}
    widths = [width for part in _PREFIXES if (width := dictionary.n_features // part) > 0]
    parts = {str(width): features[:, :width] for width in [*widths, dictionary.n_features]}
    how = sampling_of(benchmark)
    curves = voxel_curves(
        parts, benchmark.recording.mean, _folds(how, design.n_fold_seeds), members=benchmark.recording.members,
        weights=benchmark.recording.weights, sizes=(1,),
    )  # fmt: skip
    return {int(name): float(curves.region(one.ridge.mean(axis=0))) for name, one in curves.curves.items()}


def _matched(
    model: "Network",
    layer: str,
    dictionary: "Dictionary",
    second: "Dictionary",
    benchmark: Benchmark,
    design: FeatureDesign,
) -> tuple[float, float]:
    """Share of the features with r above .7 with one of the second dictionary, and with one of an untrained one."""
    rows, owners = [], []
    stimuli, context = benchmark.dataset.stimuli, benchmark.card.context
    for values, stimulus in stimulus_rows(model, layer, stimuli, context=context):
        rows.append(values)
        owners.append(stimulus)
    x, documents = torch.cat(rows), np.concatenate(owners)
    k = second.weights.k or dictionary.weights.k or 1
    codes = [
        sparse(one.encode(x)) for one in (dictionary, second, untrained(second, k, random_state=design.seed))
    ]
    share, floor = (match_activations(codes[0], one, documents).above[0.7] for one in codes[1:])
    return share, floor


def _kept(
    store: Run,
    record: dict[str, Any],
    sae: SaeScore,
    table: pd.DataFrame,
    matched: tuple[float, float] | None,
) -> dict[str, Any]:
    """The record of the features with what is known of them beside their control."""
    arrays = arrays_of(record)
    sizes = [name for name in table.columns if name.startswith("k=")]
    arrays |= {
        "feature_columns": np.array(table.index, dtype=str),
        "feature_sizes": np.array([int(name[2:]) for name in sizes]),
        "feature_curves": table[sizes].to_numpy(np.float32),
        "feature_ridge": table["ridge"].to_numpy(np.float32),
        "feature_needed": table[["k50", "k90"]].to_numpy(np.float32),
    }
    own = table.loc[FEATURES]
    share, floor = matched if matched is not None else (None, None)
    known = {
        **{name: value for name, value in record.items() if name not in ("file", "format", "arrays")},
        "sae_score": sae.value,
        "sae_ci": list(sae.ci),
        "sae_p": sae.p,
        "sae_control": sae.control,
        "sae_control_sd": sae.control_sd,
        "sae_n_controls": sae.n_controls,
        "k50": float(own["k50"]),
        "k90": float(own["k90"]),
        "matched_features": share,
        "matched_floor": floor,
    }
    store.keep(known, arrays)
    found = store.find(record["model"], record["benchmark"], record["key"])
    if found is None:
        raise UserError(f"the record could not be read back from {store.place}: is its disk damaged?")
    return found


def summary(found: Sequence[FeatureScores]) -> pd.DataFrame:
    """A line a benchmark: what a table of features has room for."""
    return pd.DataFrame(
        [
            {
                "benchmark": one.benchmark,
                "features": one.raw[FEATURES],
                "neurons": one.raw[NEURONS],
                "untrained": one.raw["untrained"],
                "sae_score": one.sae.value,
                "low": one.sae.ci[0],
                "high": one.sae.ci[1],
                "p": one.sae.p,
                "k50": float(one.table["k50"].loc[FEATURES]),
                "k90": float(one.table["k90"].loc[FEATURES]),
            }
            for one in found
        ]
    )
