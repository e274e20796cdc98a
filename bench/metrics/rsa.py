"""RSA: whether a layer tells the same stimuli apart as the brain does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Indices, Splitter
from ...analysis.representation.rdm import correlation_rdm, crossnobis_rdm, has_noise, pairs
from ...analysis.representation.rdm_comparison import bootstrap_correlations, centered, standardized
from ...analysis.shelf import once
from ...analysis.statistics.replicates import Replicates
from ...analysis.statistics.resampling import ENTRIES, bootstrap_weights, p_value
from ...brain_data.noise_ceiling import rdm_ceiling
from ...correlation import tied_ranks
from ...errors import UserError, unknown
from ...progress import track
from .base import Ceiling, Floats, Layers, MetricResult, ScoringOptions, refuse_missing
from .interval_words import said_of
from .normalization import none, r_over_best_r, r_over_ceiling
from .recording import Recording, few_neuroids
from .registries import Normalization, metric
from .rsa_ceiling import Halves, best_r, of_one, pairwise, split_halves
from .rsa_replicates import ENOUGH, Agreement, replicates
from .sampling import Sampling, sampling

Parts = list[tuple[str, Indices]]
"""Which layer is reported on which stimuli."""
_MOST_DRAWN = 600
"""Stimuli of an RDM that is kept for figures."""


@dataclass(frozen=True)
class Similarity:
    """Spearman correlation of a layer's RDM (1 - Pearson r) with each subject's.

    The headline is mean_s r_s / sqrt(mean r of two subjects' RDMs), the root taken of normal scores: 1 for the RDM
    that subjects share. Of one subject with repetitions it is r / r of a flawless model. Among several layers the one
    that agrees best on half of the stimuli is reported on the pairs of the other half, both ways, for `n_repeats`
    random halvings. Ranks are taken once over all pairs.

    Attributes
    ----------
    name : str
    distance : {"correlation", "crossnobis"}
        How the brain's RDMs are made where responses were recorded; published RDMs stand as they are.
    halves : Splitter
        Two folds; ``stratify`` names a column to balance.
    n_repeats : int
    samples : Sampling or None
        Which stimuli depend on each other; None for none.
    normalization : {"r_over_best_r", "r_over_ceiling"}
        The second divides by the upper bound over subjects, and clips.
    """

    compare: ClassVar[str] = "Spearman"
    ranked: ClassVar[bool] = True
    resampling: ClassVar[str] = "stimuli drawn with replacement; no pair joins a stimulus to itself"
    name: str = "rsa"
    distance: Literal["correlation", "crossnobis"] = "correlation"
    halves: Splitter = field(default_factory=lambda: Splitter(n_splits=2))
    n_repeats: int = 5
    samples: Sampling | None = None
    normalization: str = "r_over_best_r"

    def ceiling(self, recorded: Recording) -> Ceiling:
        """Published with RDMs; else over subjects, with the bounds of Nili et al. (2014), of halves, or none."""
        recorded = recorded.distinct
        if recorded.rdms is not None and recorded.r_max is not None:
            return Ceiling("r_max", recorded.r_max, note="as published, in units of this correlation")
        rdms = self._brain(recorded)
        if len(rdms) > 1:
            return self._over_subjects(rdms)
        halves = self._split(recorded)
        if isinstance(halves, str):
            return _no_ceiling(halves)
        best, why = of_one(halves, self._vectors)
        return Ceiling("r_max", best) if np.isfinite(best) else _no_ceiling(why)

    def _over_subjects(self, rdms: Floats) -> Ceiling:
        lower, upper, by_lower, by_upper = self._bounds(rdms)
        bounds: dict[str, Any] = {"lower": lower, "upper": upper}
        bounds["per_subject"] = {"lower": by_lower, "upper": by_upper}
        if self.normalization == r_over_ceiling.name:
            return Ceiling("rdm", upper, **bounds)
        among, p = pairwise(self._vectors(np.array([self._prepared(rdm) for rdm in rdms])))
        mean = float(_of_others(among).mean())
        if p > 0.05 or mean <= 0:
            return _no_ceiling(f"none: subjects do not agree (mean r of their RDMs {mean:.2f}, p = {p:.2g})")
        return Ceiling("rdm_pairwise", float(best_r(np.array(mean), ranked=self.ranked)), **bounds)

    def memory(self, recorded: Recording, n_units: int) -> int:
        """One block of features in float64, a few square matrices, one block of draws."""
        return 8 * (recorded.n_stimuli * min(n_units, 1 << 16) + 8 * recorded.n_stimuli**2 + 3 * ENTRIES)

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Compare every layer's RDM with the brain's."""
        refuse_missing(layers)
        rows, again = recorded.kept, recorded.n_stimuli - len(recorded.kept)
        seen = {layer: partial(_taken, layers, layer, rows if again else None) for layer in layers}
        recorded = recorded.distinct
        rdms = self._brain(recorded)
        if recorded.n_stimuli < 8:
            raise UserError(f"{recorded.name}: rsa needs at least 8 stimuli, not {recorded.n_stimuli}")
        brain = np.array([self._prepared(rdm) for rdm in rdms])
        model = {
            layer: self._prepared(
                _rdm_of(layers[layer], seen[layer], rows if again else None), _rounding(layers[layer])
            )
            for layer in track(list(layers), "comparing RDMs")
        }
        everything = np.arange(recorded.n_stimuli)
        by_layer = {layer: self._agreement(m, brain, everything) for layer, m in model.items()}
        parts = self._parts(model, brain, recorded)
        per_subject = np.mean([self._agreement(model[layer], brain, rows) for layer, rows in parts], axis=0)
        raw, chosen = float(per_subject.mean()), [layer for layer, _ in parts]
        normalize = self._normalization(ceiling)
        value = float(normalize(np.array([[raw]]), np.asarray(ceiling.value)))
        compared = _Compared(self, recorded, model, brain, parts, ceiling, options)
        found = compared.replicates(value, per_subject)
        low, high = found.interval(options.level)
        p, methods = compared.p(raw)
        layer = max(dict.fromkeys(chosen), key=chosen.count)
        return MetricResult(
            value=value,
            raw=raw,
            per_unit=per_subject,
            unit="subject",
            normalization=normalize.name,
            layer=layer,
            layer_by_split=chosen,
            layers={layer: float(r.mean()) for layer, r in by_layer.items()},
            ci=(float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))) if normalize.clips else (low, high),
            p=p,
            n_stimuli=recorded.n_stimuli,
            n_neuroids=0 if recorded.cube is None else recorded.cube.shape[2],
            left_out=dict(recorded.n_left_out)
            | self._left_out(recorded)
            | ({"stimuli that are the same as another, taken as its repetitions": again} if again else {}),
            methods={
                "model_rdm": "1 - Pearson r",
                "brain_rdm": "as published" if recorded.rdms is not None else self.distance,
                "compare": self.compare,
                "n_subjects": len(brain),
                "halvings": self.n_repeats if len(layers) > 1 else 0,
                "resampling": self.resampling,
            }
            | ({"ceiling": ceiling.note} if ceiling.note else {})
            | _described(compared.depends, again)
            | said_of(found, options, "stimuli" if compared.depends.groups is None else "groups of stimuli")
            | methods,
            replicates=found,
            arrays={"layer_units": np.array(list(by_layer.values()), np.float32)}
            | _rdms(_rdm_of(layers[layer], seen[layer], rows if again else None), rdms, recorded),
        )

    def _normalization(self, ceiling: Ceiling) -> Normalization:
        if ceiling.kind == "none":
            return none
        clipped = ceiling.kind == "rdm" or self.normalization == r_over_ceiling.name
        return r_over_ceiling if clipped else r_over_best_r

    def depends(self, recorded: Recording) -> Sampling:
        """Which stimuli depend on each other."""
        if self.samples is not None:
            return self.samples
        return Sampling("independent", None, np.arange(recorded.n_stimuli))

    def _brain(self, recorded: Recording) -> Floats:
        """One RDM a subject, (n_subjects, n_stimuli, n_stimuli): the mean of the subject's sessions."""
        if recorded.rdms is not None:
            mean: Floats = recorded.rdms.mean(axis=1)
            return mean
        if self.distance != "crossnobis":
            few_neuroids(recorded.name, min(len(one) for one in recorded.members))
        return np.array([self._of_responses(recorded.responses[:, :, one]) for one in recorded.members])

    def _of_responses(self, cube: Floats) -> Floats:
        if self.distance == "crossnobis":
            return crossnobis_rdm(cube)
        shown = np.isfinite(cube).any(axis=1).all(axis=1)
        if not shown.all():
            raise UserError(
                f"{int((~shown).sum())} of {len(cube)} stimuli have no response of a neuroid (first: row "
                f"{int((~shown).argmax())}): an RDM needs all of every subject"
            )
        return correlation_rdm(np.nanmean(cube, axis=1))

    def _left_out(self, recorded: Recording) -> dict[str, int]:
        if self.distance != "crossnobis" or recorded.cube is None:
            return {}
        still = sum(int((~has_noise(recorded.cube[:, :, one])).sum()) for one in recorded.members)
        return {"neuroids without noise": still} if still else {}

    def _split(self, recorded: Recording) -> Halves | str:
        """RDMs of halves of the repetitions; why not, where there are none."""
        if recorded.cube is None:
            return ""
        return split_halves(recorded.cube, self.distance, self._prepared, self._centered, ranked=self.ranked)

    def _bounds(self, rdms: Floats) -> tuple[float, float, Floats, Floats]:
        """Between which bounds the best model lies: over subjects, then of each."""
        return rdm_ceiling(pairs(rdms))

    def _prepared(self, rdm: Floats, rounding: float = 1e-9) -> Floats:
        """The RDM with its dissimilarities replaced by their ranks over all pairs."""
        row, column = np.triu_indices(len(rdm), k=1)
        ranks = np.zeros_like(rdm)
        ranks[row, column] = tied_ranks(rdm[row, column], rounding)
        return ranks + ranks.T

    def _centered(self, rdms: Floats) -> Floats:
        return centered(rdms)

    def _vectors(self, rdms: Floats) -> Floats:
        """What products of are correlations."""
        return standardized(rdms)

    def _agreement(self, model: Floats, brain: Floats, rows: Indices) -> Floats:
        return self._agreement_of(model[np.ix_(rows, rows)], brain[:, rows][:, :, rows])

    def _agreement_of(self, model: Floats, brain: Floats) -> Floats:
        """Correlation over pairs, per subject."""
        r: Floats = np.tensordot(self._vectors(brain), self._vectors(model[None])[0], axes=2)
        return r

    def _with_vectors(self, vectors: Floats, model: Floats) -> float:
        """The same with vectors of the brain, whose sum over pairs is 0."""
        n, square = len(model), float(np.vdot(model, model))
        left = square - float(model.sum()) ** 2 / (n * (n - 1))
        return float(np.vdot(vectors, model)) / float(np.sqrt(left)) if left > 1e-12 * square else 0.0

    def _parts(self, model: Mapping[str, Floats], brain: Floats, recorded: Recording) -> Parts:
        """Which layer is reported on which stimuli."""
        if len(model) == 1:
            return [(next(iter(model)), np.arange(recorded.n_stimuli))]
        labels = recorded.column(self.halves.stratify)
        parts = []
        for repeat in range(self.n_repeats):
            splitter = Splitter(n_splits=2, stratify=self.halves.stratify, seed=self.halves.seed + repeat)
            for half in splitter.split(
                recorded.n_stimuli, labels=labels, groups=self.depends(recorded).groups
            ):
                on_training = {
                    layer: self._agreement(m, brain, half.train).mean() for layer, m in model.items()
                }
                parts.append((max(on_training, key=on_training.__getitem__), half.test))
        return parts

    def _drawn(
        self, depends: Sampling, n_draws: int, seed: int, *, first_order: bool
    ) -> tuple[Floats, float]:
        """How often every stimulus is drawn, and the variance over stimuli over that of the draws."""
        del first_order
        n = depends.n_groups
        weights = bootstrap_weights(len(depends.position), n_draws, random_state=seed, groups=depends.groups)
        return weights, n / (n - 1)

    def _redrawn(
        self, one: Floats, others: Floats, weights: Floats, depends: Sampling, *, first_order: bool
    ) -> Floats:
        """Correlation of one RDM with others in every draw, (n_draws, n_others)."""
        return bootstrap_correlations(others, one, weights, groups=depends.groups, first_order=first_order)

    def _among_redrawn(
        self, brain: Floats, weights: Floats, depends: Sampling, *, first_order: bool
    ) -> Floats:
        """Mean correlation of each subject with the others in every draw, (n_draws, n_subjects)."""
        total = np.zeros((len(weights), len(brain)))
        for i in range(len(brain) - 1):
            with_others = self._redrawn(brain[i], brain[i + 1 :], weights, depends, first_order=first_order)
            total[:, i] += with_others.sum(axis=1)
            total[:, i + 1 :] += with_others
        mean: Floats = total / (len(brain) - 1)
        return mean


@dataclass(frozen=True)
class _Compared:
    """The RDMs of the layers and of the brain, and what is asked of them."""

    metric: Similarity
    recorded: Recording
    model: Mapping[str, Floats]
    brain: Floats
    parts: Parts
    ceiling: Ceiling
    options: ScoringOptions

    @cached_property
    def depends(self) -> Sampling:
        return self.metric.depends(self.recorded)

    @cached_property
    def among(self) -> Floats | None:
        """Correlations of subjects, where they are the ceiling."""
        if self.ceiling.kind != "rdm_pairwise":
            return None
        vectors = self.metric._vectors(self.brain)
        among: Floats = np.tensordot(vectors, vectors, axes=((1, 2), (1, 2)))
        return among

    @cached_property
    def split(self) -> Halves | None:
        """Halves of repetitions, where they are the ceiling."""
        found = self.metric._split(self.recorded) if self.ceiling.kind == "r_max" else ""
        return None if isinstance(found, str) else found

    def replicates(self, value: float, per_subject: Floats) -> Replicates:
        """Draws of the headline."""
        if self.options.n_bootstraps == 0:
            return Replicates(value)
        observed = Agreement(per_subject[None], self._best(None, None, first_order=True))
        first, whole = (self._draws(first_order=order) for order in (True, False))
        named = self.recorded.rdms is not None or "subject" in self.recorded.neuroids
        return replicates(
            value, observed, self.among, first, whole,
            n_samples=self.depends.n_groups, seed=self.options.seed + 1, named=named,
        )  # fmt: skip

    def _draws(self, *, first_order: bool) -> Agreement:
        n_draws = self.options.n_bootstraps if first_order else min(self.options.n_bootstraps, ENOUGH)
        weights, scale = self.metric._drawn(self.depends, n_draws, self.options.seed, first_order=first_order)
        r = np.zeros((n_draws, len(self.brain)))
        for layer, rows in self.parts:
            taken = np.ix_(rows, rows)
            some = self.depends.only(rows)
            one, others = self.model[layer][taken], self.brain[:, rows][:, :, rows]
            drawn = self.metric._redrawn(one, others, weights[:, rows], some, first_order=first_order)
            r += np.nan_to_num(drawn) / len(self.parts)
        return Agreement(r, self._best(weights, r, first_order=first_order), scale)

    def _best(self, weights: Floats | None, r: Floats | None, *, first_order: bool) -> Floats:
        """What the ceiling is the root of, of every draw (or of all stimuli), so that it moves with the stimuli."""
        n = len(self.brain)
        published = 1.0 if self.ceiling.kind == "none" else self.ceiling.value**2
        if weights is None or r is None or (self.among is None and self.split is None):
            steady = np.full((1 if r is None else len(r), n), published)
            if self.among is None:
                return steady
            of_others = _of_others(self.among)
            moved: Floats = steady * of_others / of_others.mean()
            return moved
        metric, depends = self.metric, self.depends
        if self.split is not None:
            halves = zip(self.split.first, self.split.second, strict=True)
            of_half = [
                metric._redrawn(one, other[None], weights, depends, first_order=first_order)
                for one, other in halves
            ]
            return self.split.best(np.mean(of_half, axis=0)) ** 2
        with_others = metric._among_redrawn(self.brain, weights, depends, first_order=first_order)
        mean = with_others.mean(axis=1, keepdims=True)
        bent = best_r(mean, ranked=metric.ranked) ** 2 / np.maximum(mean, 1e-12)
        best: Floats = with_others * np.where(mean > 0, bent, 1.0)
        return best

    def p(self, observed: float) -> tuple[float, dict[str, object]]:
        """P of the raw value, and how it was found."""
        n_permutations = self.options.n_permutations
        if n_permutations == 0:
            return float("nan"), {"p": "not asked for"}
        orders, what, smallest = self.depends.orders(n_permutations, self.options.seed + 2)
        null = np.zeros(len(orders))
        for layer, rows in self.parts:
            within = self.metric._vectors(self.brain[:, rows][:, :, rows]).mean(axis=0)
            for i, order in enumerate(orders):
                # of whole rows first: a column is then taken from what the cache holds
                model = self.model[layer][order[rows]].take(order[rows], axis=1, mode="clip")
                null[i] += self.metric._with_vectors(within, model) / len(self.parts)
        return p_value(observed, null), {"p": f"{what} {len(orders)} times", "smallest_p": smallest}


_FACTS: dict[str, Any] = {
    "formula": "Spearman r of the dissimilarities of all pairs of stimuli, mean over subjects",
    "options": ("stratify", "group", "normalization"),
    "axis": "RDM correlation (Spearman r)",
    "ceilings": ("rdm_pairwise", "rdm", "r_max", "none"),
    "citation": "Kriegeskorte, Mur & Bandettini (2008), Front. Syst. Neurosci. 2:4",
    "version": 3,
}


@metric(
    "rsa",
    sentence="a layer's dissimilarities (1 - Pearson r) are rank-correlated with the brain's",
    like=("rdm",),
    **_FACTS,
)
def rsa(recorded: Recording, **options: Any) -> Similarity:
    """RSA whose dissimilarities are 1 - Pearson r on both sides."""
    return Similarity("rsa", "correlation", **divided(recorded, **options))


@metric(
    "rsa_crossnobis",
    sentence="a layer's dissimilarities (1 - Pearson r) are rank-correlated with the brain's crossnobis distances",
    **_FACTS,
)
def rsa_crossnobis(recorded: Recording, **options: Any) -> Similarity:
    """RSA whose brain dissimilarities are cross-validated Mahalanobis distances."""
    return Similarity("rsa_crossnobis", "crossnobis", **divided(recorded, **options))


def divided(
    recorded: Recording,
    *,
    stratify: str | None = None,
    group: str | None = None,
    normalization: str = "r_over_best_r",
) -> dict[str, Any]:
    """How stimuli are divided and what is divided by, from a benchmark's options.

    Parameters
    ----------
    recorded : Recording
    stratify : str, optional
        Column of the stimuli that halves are balanced by.
    group : str, optional
        Column whose values stay together; found as in :func:`.sampling.sampling` by default, ``"none"`` for none.
    normalization : {"r_over_best_r", "r_over_ceiling"}
    """
    allowed = (r_over_best_r.name, r_over_ceiling.name)
    if normalization not in allowed:
        raise unknown(f"normalization of {recorded.name}", normalization, allowed)
    if group == "none":
        recorded, group = replace(recorded, blocks="none"), None
    recorded = recorded.distinct
    how = sampling(recorded, folds=2, stratify=stratify, group=group)
    return {
        "halves": Splitter(n_splits=2, stratify=None if how.groups is not None else stratify),
        "samples": how,
        "normalization": normalization,
    }


def _described(depends: Sampling, n_again: int) -> dict[str, object]:
    """What depends on what, and how many stimuli are the same as others."""
    said = depends.describe_groups()
    if n_again:
        same = f"{n_again} stimuli are the same as others: one row of an RDM, their presentations its repetitions"
        said["dependence"] = "; ".join(filter(None, [same, depends.said]))
    return said


def _no_ceiling(note: str = "") -> Ceiling:
    return Ceiling("none", float("nan"), note=note)


def _of_others(among: Floats) -> Floats:
    """Mean correlation of each subject with the others."""
    mean: Floats = (among.sum(axis=1) - np.diag(among)) / (len(among) - 1)
    return mean


def _taken(layers: Layers, layer: str, rows: Indices | None) -> npt.ArrayLike:
    return layers[layer] if rows is None else np.asarray(layers[layer])[rows]


def _rounding(features: npt.ArrayLike) -> float:
    """What distances of features are known to, as a share of the largest."""
    return 2e-6 if np.asarray(features).dtype in (np.float32, np.float16) else 1e-9


def _rdm_of(features: npt.ArrayLike, seen: Callable[[], npt.ArrayLike], rows: Indices | None) -> Floats:
    """A layer's RDM of the stimuli that are seen."""
    what = "rdm", None if rows is None else rows.tobytes()
    return once(features, what, lambda: correlation_rdm(seen()), lambda made: made.nbytes)


def _rdms(model: Floats, brain: Floats, recorded: Recording) -> dict[str, npt.NDArray[Any]]:
    """The RDMs of the model and of the brain (mean over subjects), as pairs, for figures; none for many stimuli."""
    if recorded.n_stimuli > _MOST_DRAWN:
        return {}
    category = recorded.columns.get("category")
    return {
        "model_rdm": pairs(model).astype(np.float32),
        "brain_rdm": pairs(brain.mean(axis=0)).astype(np.float32),
        "stimulus_id": np.asarray(recorded.stimulus_ids, str),
        "category": np.full(recorded.n_stimuli, "") if category is None else np.asarray(category, str),
    }
