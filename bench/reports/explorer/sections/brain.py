"""What single units and features have in common with regions of a brain: Pearson's r over a recording's stimuli.

Rows of the layer are encoded first and averaged over each stimulus then. r with a region is the median over its
targets, over all stimuli; the best of many columns is chosen on half of them and measured on the other, and stands
beside the best of as many columns of noise, and of a dictionary that never learnt.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .....analysis.encoding.sparse import sparse_predictions
from .....analysis.interpretability.quality.controls import untrained
from .....analysis.interpretability.voxels.feature_regions import best_features, region_bars
from .....errors import UserError, first_line
from .....files import digest_of
from ....benchmark import Benchmark, load_benchmark
from ....layer_comparison import layer_features
from ....metrics.registries import CEILING_KINDS
from ....studies.feature_model import Columns, FeatureModel, Reading, of_dictionary
from ....studies.feature_scores import region_targets, sampling_of
from ..content import Column, Of, Section
from ..looked import Asked, Looked

Floats = npt.NDArray[np.float64]
Regions = Mapping[str, npt.NDArray[np.intp]]
_K = 32
_MOST_TARGETS = 32
_N_SHUFFLES = 199
_UNTRAINED = "untrained"


def brain(looked: Looked, asked: Asked) -> Section:
    """Every unit and feature beside every region of some data sets.

    Parameters
    ----------
    looked : Looked
    asked : Asked
        ``benchmarks``.
    """
    if not asked.benchmarks:
        return Section("brain", left_out=["brain: no benchmark is named"])
    columns: dict[Of, list[Column]] = {of: [] for of in looked.kinds}
    entries: dict[Of, list[list[dict[str, Any]]]] = {
        of: [[] for _ in range(looked.count(of))] for of in looked.kinds
    }
    controls: list[dict[str, Any]] = []
    left_out: list[str] = []
    for name in asked.benchmarks:
        try:
            known, values = _values(looked, name)
            targets, regions = region_targets(known)
        except UserError as error:
            left_out.append(f"brain, {name}: {first_line(error)}")
            continue
        ceilings = {region: _ceiling(known, region) for region in regions}
        for of in looked.kinds:
            beside = _controls(looked, known, of, values, targets, regions)
            controls += beside
            r = region_bars(values[of], targets, regions)
            p = _p(r.to_numpy(), _independent(known, len(targets)))
            taken = {one.name for one in columns[of]}
            for region in regions:
                columns[of].append(
                    _column(known, region, r[region].to_numpy(), beside, taken, ceilings[region])
                )
            for entry, row, chance in zip(entries[of], r.to_numpy().tolist(), p.tolist(), strict=True):
                shown = [[region, row[i], ceilings[region], chance[i]] for i, region in enumerate(regions)]
                entry.append({"benchmark": name, "n": len(targets), "regions": shown})
            try:
                columns[of].append(_used(known, values[of], taken))
            except UserError as error:
                left_out.append(f"sparse fits of {of}s, {name}: {first_line(error)}")
    if left_out and not controls:
        return Section("brain", left_out=left_out)
    return Section("brain", columns, entries, controls=controls, left_out=left_out)


def _values(looked: Looked, name: str) -> tuple[Benchmark, dict[str, Floats]]:
    """A benchmark, and what units, features and untrained features are for its stimuli."""
    loaded = load_benchmark(name)
    inside = looked.inside
    if loaded.recording.cube is None:
        raise UserError("it was published as RDMs, and single units predict single neuroids")
    if not loaded.dataset.has_stimuli or inside.model.modality != loaded.card.modality:
        raise UserError(f"{inside.model.identifier} cannot be shown its stimuli")
    n = inside.n_units
    made = [Columns("unit", n, lambda rows: rows, digest_of("unit"), f"{n} units")]
    if (dictionary := looked.dictionary) is not None:
        k = dictionary.weights.k or max(1, round(looked.features.nnz / len(looked.units)))
        made += [
            of_dictionary(dictionary, "feature"),
            of_dictionary(untrained(dictionary, k, random_state=inside.seed), _UNTRAINED),
        ]
    model = FeatureModel(Reading(inside.model, inside.layer, made))
    found = layer_features(model, loaded, model.layers)
    return loaded, {one: np.asarray(values, np.float64) for one, values in found.items()}


def _ceiling(benchmark: Benchmark, region: str) -> float | None:
    """The r that noise allows in a region; None where nobody measured it."""
    card = benchmark.card
    try:
        own = benchmark if region == card.region else load_benchmark(f"{card.dataset}.{region}-{card.metric}")
        known = own.noise_ceiling
    except UserError:
        return None
    if known.kind not in CEILING_KINDS or not np.isfinite(known.value):
        return None
    return float(CEILING_KINDS[known.kind].best(known.value))


def _independent(benchmark: Benchmark, n: int) -> int:
    """How many stimuli, or groups of them."""
    how = sampling_of(benchmark)
    groups = how.jackknife_groups if how.kind == "serial" else how.groups
    return n if groups is None else len(np.unique(np.asarray(groups)))


def _p(r: Floats, n: int) -> Floats:
    """Two-sided, of one r by t with n - 2 degrees of freedom; not corrected for how many there are."""
    from scipy.stats import t

    free = max(n - 2, 1)
    inside = np.minimum(np.abs(r), 1 - 1e-12)
    found: Floats = 2 * t.sf(inside * np.sqrt(free / (1 - inside**2)), free)
    return found


def _controls(
    looked: Looked,
    benchmark: Benchmark,
    of: Of,
    values: Mapping[str, Floats],
    targets: Floats,
    regions: Regions,
) -> list[dict[str, Any]]:
    """A row a region: its best column, chosen on one half of the stimuli and measured on the other, beside chance."""
    seed, groups = looked.inside.seed, sampling_of(benchmark).groups
    own = best_features(
        values[of], targets, regions, groups=groups, n_shuffles=_N_SHUFFLES, random_state=seed
    )
    width = values[of].shape[1]
    noise = np.random.default_rng([seed, 83]).standard_normal((len(targets), width))
    by_chance = region_bars(noise, targets, regions).abs().max()
    found: list[dict[str, Any]] = [
        {
            "kind": f"best {of} of {region}, chosen on one half and measured on the other", "of": of,
            "benchmark": benchmark.identifier, "region": region, "r": one.r, "selected_r": one.selected_r,
            "shuffled_r": one.null_mean, "p": one.p, "best": ", ".join(map(str, one.features)), "n": one.n_stimuli,
        }
        for region, one in own.items()
    ]  # fmt: skip
    if of == "feature" and _UNTRAINED in values:
        never = best_features(
            values[_UNTRAINED], targets, regions, groups=groups, n_shuffles=0, random_state=seed
        )
        found += [
            {
                "kind": f"best untrained feature of {region}, the same way", "of": of, "region": region,
                "benchmark": benchmark.identifier, "r": one.r, "selected_r": one.selected_r, "n": one.n_stimuli,
            }
            for region, one in never.items()
        ]  # fmt: skip
    return found + [
        {
            "kind": "best of as many random columns", "of": of, "benchmark": benchmark.identifier,
            "region": region, "r": float(by_chance[region]), "n": len(targets),
        }
        for region in regions
    ]  # fmt: skip


def _column(
    benchmark: Benchmark,
    region: str,
    r: Floats,
    controls: list[dict[str, Any]],
    taken: set[str],
    ceiling: float | None,
) -> Column:
    noise = next(
        one["r"] for one in controls if one["kind"].startswith("best of as many") and one["region"] == region
    )
    held = next(one["r"] for one in controls if one["region"] == region)
    beside = [
        {"kind": "best of as many random columns", "value": noise},
        {"kind": "best, on the stimuli that it was not chosen on", "value": held},
    ]
    if ceiling is not None:
        beside.append({"kind": "ceiling of a whole model", "value": ceiling})
    return Column(
        _name(f"r.{region}", benchmark, taken), f"r with {region}", r.tolist(), "brain", diverging=True,
        sentence=f"Pearson's r over {len(benchmark.recording.stimulus_ids)} stimuli of {benchmark.card.dataset}, the "
        "median over the region's targets; for looking at, since the best of many is above 0 by chance",
        beside=beside,
    )  # fmt: skip


def _name(name: str, benchmark: Benchmark, taken: set[str]) -> str:
    """As links have it, with the data set where another one has such a region."""
    plain = re.sub(r"[^A-Za-z0-9.]+", ".", name)
    if plain in taken:
        head, _, tail = plain.partition(".")
        plain = f"{head}.{re.sub(r'[^A-Za-z0-9.]+', '.', benchmark.card.dataset)}.{tail}"
    return plain


def _used(benchmark: Benchmark, values: Floats, taken: set[str]) -> Column:
    """How often each column is among the few that orthogonal matching pursuit takes on training stimuli."""
    how = sampling_of(benchmark)
    targets = benchmark.recording.mean
    chosen = np.unique(np.linspace(0, targets.shape[1] - 1, _MOST_TARGETS).astype(int))
    splits = [fold.split for fold in how.folds]
    count, fits = np.zeros(values.shape[1]), 0
    for one in sparse_predictions(values, targets[:, chosen], splits, sizes=(_K,)):
        units = np.asarray(one.units).ravel()
        np.add.at(count, units[units >= 0], 1)
        fits += len(one.units)
    region = benchmark.card.region
    return Column(
        _name(f"k{_K}.{region}", benchmark, taken), f"in {_K} columns for {region}",
        (count / max(fits, 1)).tolist(), "brain",
        sentence=f"share of {fits} fits (folds and targets) of {benchmark.identifier} whose {_K} columns it is one of",
        beside=[{"kind": "by chance", "value": _K / values.shape[1]}],
    )  # fmt: skip
