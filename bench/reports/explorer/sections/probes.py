"""Which units and features tell a property of tokens, texts or pictures, and how few of them are needed.

Every column is a probe of its own: Welch's t on training rows, and on other documents F1 = 2 tp / (2 tp + fp + fn) of
the threshold that was best on the training rows. A property is marked where the probe of all units, or of the 32 that
are kept, has F1 .02 above the best trivial predictor, and AUROC above .5 with its interval.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .....analysis.interpretability.probes.probe import (
    OPTIMAL_SIZES,
    OptimalPoint,
    Probe,
    optimal_point,
    probe,
)
from .....analysis.interpretability.probes.reading import Labelled, labelled_rows
from .....analysis.interpretability.probes.single_columns import SingleColumns, single_columns, welch_t
from .....analysis.interpretability.probes.sparse_probe import Bench, Point
from .....brain_data.probing.base import PROPERTIES
from .....brain_data.probing.material import Material
from .....errors import UserError, first_line
from .....progress import track
from ..content import Column, Of, Section
from ..looked import Asked, Looked

Floats = npt.NDArray[np.float64]
_AT_ONCE = 6
"""Properties of texts whose rows are held together."""
_N_DRAWS = 100
"""Of the bootstrap over documents."""
_N_OPTIMAL = 5
"""Properties whose best units are searched for, where none are named: those furthest above trivial predictors."""
_SECONDS = 2.0
_MOST_SHOWN = 12
"""Properties that stand on the page of a unit or feature."""
_LEAST = 2.0
"""|t| of a property that stands there."""
_LEVEL = 0.05


@dataclass(frozen=True)
class _Probed:
    """One property.

    Attributes
    ----------
    name, pooling : str
    probe : Probe
        Of the units.
    columns : SingleColumns
        Units, then features.
    by_chance : dict of {"unit", "feature"} to float
        The largest |t| of any, with the labels of the training rows shuffled.
    n_train : int
    bench : Bench
    """

    name: str
    pooling: str
    probe: Probe
    columns: SingleColumns
    by_chance: dict[Of, float]
    n_train: int
    bench: Bench

    @property
    def gain(self) -> float:
        """F1 of all units less the best trivial predictor's."""
        return self.probe.adaptive[-1].scores.f1 - self.probe.best_trivial[1]


def probes(looked: Looked, asked: Asked) -> Section:
    """Probe the properties that the material at hand allows.

    Parameters
    ----------
    looked : Looked
    asked : Asked
        ``probed``, ``properties``, ``folder``.
    """
    if not asked.probed:
        return Section("probes", left_out=["probes: not asked for"])
    material = Material.at_hand(*([asked.folder] if asked.folder is not None else []))
    level = ("token", "text") if looked.reads else ("picture",)
    names = list(asked.properties) if asked.properties is not None else [
        name for name, one in PROPERTIES.items() if one.level in level
    ]  # fmt: skip
    found: dict[str, _Probed] = {}
    skipped: dict[str, str] = {}
    for some in _together(names):
        for name, one in _some(looked, some, material):
            if isinstance(one, str):
                skipped[name] = one
            else:
                found[name] = one
    if not found:
        name, reason = next(iter(skipped.items()), ("none", "no property is named"))
        raise UserError(f"no property could be probed; {name}: {reason}")
    ordered = [found[name] for name in names if name in found]
    shown = [one for one in ordered if one.probe.is_shown]
    searched = (
        shown if asked.properties is not None else sorted(shown, key=lambda one: -one.gain)[:_N_OPTIMAL]
    )
    optimal = {one.name: _optimal(one) for one in track(searched, "best units")}
    reasons: dict[str, list[str]] = {}
    for name, reason in skipped.items():
        reasons.setdefault(reason, []).append(name)
    left_out = [f"probes of {', '.join(some)}: {reason}" for reason, some in reasons.items()]
    if len(searched) < len(shown):
        left_out.append(
            f"probes: the best 1, 2 and 4 units are searched for in {len(searched)} properties, those furthest above "
            "trivial predictors; name properties to have it of all"
        )
    columns, entries, controls = {}, {}, []
    for of in looked.kinds:
        part = slice(0, looked.inside.n_units) if of == "unit" else slice(looked.inside.n_units, None)
        columns[of] = [_column(one, of, part) for one in ordered]
        if shown:
            columns[of].append(_preferred(shown, part))
        entries[of] = _entries(ordered, part)
        chance = float(np.median([one.by_chance[of] for one in ordered]))
        controls.append(
            {"kind": f"largest |t| of any {of}, labels shuffled", "of": of, "t": chance, "n": len(ordered)}
        )
    best = [one.probe.best_trivial[1] for one in ordered]
    controls.append(
        {"kind": "best trivial predictor, without the network", "f1": float(np.median(best)), "n": len(best)}
    )
    whole = {
        "of": "unit", "skipped": skipped, "n_marked": len(shown),
        "properties": [_said(one, optimal.get(one.name, [])) for one in ordered],
    }  # fmt: skip
    return Section("probes", columns, entries, whole, controls, left_out)


def _together(names: Sequence[str]) -> list[list[str]]:
    """Properties of one level, of texts a few at a time, since the rows of their texts are held together."""
    levels: dict[str, list[str]] = {}
    for name in names:
        levels.setdefault(PROPERTIES[name].level, []).append(name)
    found = []
    for level, some in levels.items():
        step = _AT_ONCE if level == "text" else len(some)
        found += [some[start : start + step] for start in range(0, len(some), step)]
    return found


def _some(looked: Looked, names: list[str], material: Material) -> Iterator[tuple[str, _Probed | str]]:
    inside, dictionary = looked.inside, looked.dictionary

    def encode(rows: Tensor) -> Tensor:
        return rows if dictionary is None else torch.cat([rows, dictionary.encode(rows).dense()], dim=1)

    read = labelled_rows(inside.model, inside.layer, names, material, encode=encode, random_state=inside.seed)
    for one in track(read, f"probing {inside.layer}", total=len(names)):
        if not isinstance(one, Labelled):
            yield one
            continue
        try:
            yield one.asked.name, _probed(looked, one)
        except UserError as error:
            yield one.asked.name, first_line(error)


def _probed(looked: Looked, one: Labelled) -> _Probed:
    seed, n_units = looked.inside.seed, looked.inside.n_units
    pooling, examples = next(iter(one.examples.items()))
    units = replace(examples, rows=np.ascontiguousarray(examples.rows[:, :n_units]))
    made = probe(units, parts=one.parts, n_draws=_N_DRAWS, random_state=seed)
    columns = single_columns(examples.rows, examples.labels, one.parts)
    labels = np.random.default_rng([seed, 97]).permutation(examples.labels[one.parts.train])
    chance = np.abs(welch_t(examples.rows[one.parts.train], labels))
    parts: dict[Of, Floats] = {"unit": chance[:n_units], "feature": chance[n_units:]}
    return _Probed(
        one.asked.name,
        pooling,
        made,
        columns,
        {of: float(parts[of].max()) for of in looked.kinds},
        len(one.parts.train),
        Bench.of(units.rows, examples.labels, examples.documents, one.parts),
    )


def _optimal(one: _Probed) -> list[OptimalPoint]:
    return [optimal_point(one.bench, k, _SECONDS) for k in OPTIMAL_SIZES if k < one.bench.n_units]


def _column(one: _Probed, of: Of, part: slice) -> Column:
    trivial, f1 = one.probe.best_trivial
    marked = (
        ""
        if one.probe.is_shown
        else "; not shown: no probe of the layer is .02 above what predicts it trivially"
    )
    return Column(
        f"t.{one.name}", f"t of {one.name}", one.columns.t[part].tolist(), "probes", diverging=True,
        sentence=f"Welch's t on {one.n_train} training rows ({one.pooling}): {PROPERTIES[one.name].sentence}{marked}",
        beside=[
            {"kind": f"largest |t| of any {of}, labels shuffled", "value": one.by_chance[of]},
            {"kind": f"F1 of the best trivial predictor: {trivial}", "value": f1},
        ],
    )  # fmt: skip


def _preferred(shown: Sequence[_Probed], part: slice) -> Column:
    """The marked property of the largest t / sqrt(n), where that t is beyond chance among all."""
    from scipy.stats import norm

    t = np.stack([one.columns.t[part] for one in shown])
    size = t / np.sqrt([[one.n_train] for one in shown])
    best = size.argmax(axis=0)
    limit = float(norm.isf(_LEVEL / t.size))
    values = np.where(t[best, np.arange(t.shape[1])] > limit, best, -1)
    return Column(
        "preferred.property", "property it prefers", values.tolist(), "probes", "category",
        categories=[one.name for one in shown],
        sentence="of the properties that are marked the one of largest t / sqrt(n); none where t is below "
        f"{limit:.1f}, which no unit or feature exceeds by chance (p = {_LEVEL:g} for all together)",
    )  # fmt: skip


def _entries(ordered: Sequence[_Probed], part: slice) -> list[list[list[Any]]]:
    """Of each its properties of largest |t|, those that are marked first."""
    ranks = np.stack([one.columns.rank(part) for one in ordered])
    tables = [
        np.stack(
            [one.columns.f1[part], one.columns.precision[part], one.columns.recall[part], one.columns.t[part]]
        )
        for one in ordered
    ]
    marked = np.array([one.probe.is_shown for one in ordered])
    t = np.stack([one[3] for one in tables])
    size = np.abs(t) / np.sqrt([[one.n_train] for one in ordered])
    order = np.argsort(-size, axis=0, kind="stable")[:_MOST_SHOWN]
    found = []
    for i in range(t.shape[1]):
        some = sorted((k for k in order[:, i] if abs(t[k, i]) > _LEAST), key=lambda k: not marked[k])
        found.append(
            [
                [
                    ordered[k].name,
                    *tables[k][:3, i].tolist(),
                    int(ranks[k, i]),
                    float(t[k, i]),
                    bool(marked[k]),
                ]
                for k in some
            ]
        )
    return found


def _said(one: _Probed, optimal: Sequence[OptimalPoint]) -> dict[str, Any]:
    made = one.probe
    return {
        "name": one.name, "sentence": PROPERTIES[one.name].sentence, "confound": PROPERTIES[one.name].confound,
        "pooling": one.pooling, "shown": made.is_shown, "n_train": made.n_train, "n_test": made.n_test,
        "n_documents": list(made.n_documents),
        "mean_difference": [_point(point, made.n_units) for point in made.ranked],
        "adaptive": [_point(point, made.n_units) for point in made.adaptive],
        "random": [_mean(draws) for draws in made.random],
        "rotated": [_mean(draws) for draws in made.rotated],
        "optimal": [
            {
                "k": found.point.k, "f1": found.point.scores.f1, "gap": found.certificate.gap,
                "units": found.point.units.tolist(),
            }
            for found in optimal
        ],
        "trivial": [{"name": name, "f1": f1} for name, f1 in made.trivial.items()],
        "table_f1": None if made.table is None else made.table.f1,
        "all_units": made.adaptive[-1].scores.f1,
    }  # fmt: skip


def _point(point: Point, n_units: int) -> dict[str, Any]:
    low, high = point.intervals.get("f1", (None, None))
    units = point.units.tolist() if point.k < n_units else []
    return {"k": point.k, "f1": point.scores.f1, "units": units} | (
        {} if low is None else {"interval": [low, high]}
    )


def _mean(draws: Sequence[Point]) -> dict[str, Any]:
    return {"k": draws[0].k, "f1": float(np.mean([one.scores.f1 for one in draws])), "n": len(draws)}
