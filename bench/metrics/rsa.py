"""RSA: whether a layer tells the same stimuli apart as the brain does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from ...analysis.encoding.cross_validation import Indices, Splitter
from ...analysis.representation.rdm import correlation_rdm, crossnobis_rdm, pairs, spearman
from ...analysis.statistics.resampling import (
    ENTRIES,
    bootstrap_weights,
    p_value,
    percentile_interval,
    permutations,
)
from ...brain_data.noise_ceiling import rdm_ceiling
from ...correlation import weighted_pearson
from ...errors import UserError
from ...progress import track
from .base import Ceiling, Floats, Layers, MetricResult, ScoringOptions
from .normalization import none, r_over_ceiling
from .recording import Recording
from .registries import metric

Parts = list[tuple[str, Indices]]
"""Which layer is reported on which stimuli."""
_MOST_DRAWN = 600
"""Stimuli of an RDM that is kept for figures."""


@dataclass(frozen=True)
class Similarity:
    """Spearman correlation of a layer's RDM (1 - Pearson r) with each subject's, mean over subjects.

    Among several layers the one that agrees best on half of the stimuli is reported on the pairs of the
    other half, both ways, for `n_repeats` random halvings. Ranks are taken once over all pairs.

    Attributes
    ----------
    name : str
    distance : {"correlation", "crossnobis"}
        How the brain's RDM is made where responses were recorded; published RDMs stand as they are.
    halves : Splitter
        Two folds; ``stratify`` names a column to balance.
    n_repeats : int
    """

    compare: ClassVar[str] = "Spearman"
    resampling: ClassVar[str] = "bootstrap over stimuli"
    name: str = "rsa"
    distance: Literal["correlation", "crossnobis"] = "correlation"
    halves: Splitter = field(default_factory=lambda: Splitter(n_splits=2))
    n_repeats: int = 5

    def ceiling(self, recorded: Recording) -> Ceiling:
        """Bounds over subjects (Nili et al. 2014), else split halves of repetitions, else none."""
        rdms = self._brain(recorded)
        if len(rdms) > 1:
            lower, upper, by_lower, by_upper = self._bounds(rdms)
            return Ceiling(
                "rdm", upper, lower=lower, upper=upper, per_subject={"lower": by_lower, "upper": by_upper}
            )
        if recorded.cube is not None and recorded.cube.shape[1] >= 4:
            odd = recorded.cube[:, 0::2][:, : recorded.cube.shape[1] // 2]
            even = recorded.cube[:, 1::2]
            r = self._between(self._of_responses(odd), self._of_responses(even))
            return Ceiling("r_max", float(np.sqrt(max(2 * r / (1 + r), 0.0)))) if r > 0 else _no_ceiling()
        return _no_ceiling()

    def memory(self, recorded: Recording, n_units: int) -> int:
        """One block of features in float64, a few square matrices, one block of draws."""
        return 8 * (recorded.n_stimuli * min(n_units, 1 << 16) + 8 * recorded.n_stimuli**2 + 3 * ENTRIES)

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Compare every layer's RDM with the brain's."""
        rdms = self._brain(recorded)
        if recorded.n_stimuli < 8:
            raise UserError(f"{recorded.name}: rsa needs at least 8 stimuli, not {recorded.n_stimuli}")
        brain = np.array([self._prepared(rdm) for rdm in rdms])
        model = {
            layer: self._prepared(correlation_rdm(layers[layer]))
            for layer in track(list(layers), "comparing RDMs")
        }
        everything = np.arange(recorded.n_stimuli)
        by_layer = {layer: self._agreement(m, brain, everything) for layer, m in model.items()}
        curve = {layer: float(r.mean()) for layer, r in by_layer.items()}
        parts = self._parts(model, brain, recorded)
        per_subject = np.mean([self._agreement(model[layer], brain, rows) for layer, rows in parts], axis=0)
        raw, chosen = float(per_subject.mean()), [layer for layer, _ in parts]
        normalize = none if ceiling.kind == "none" else r_over_ceiling
        draws = self._draws(model, brain, parts, options)
        normalized = normalize(np.array([raw, *draws])[:, None, None], np.asarray(ceiling.value))
        layer = max(dict.fromkeys(chosen), key=chosen.count)
        return MetricResult(
            value=float(normalized[0]),
            raw=raw,
            per_unit=per_subject,
            unit="subject",
            normalization=normalize.name,
            layer=layer,
            layer_by_split=chosen,
            layers=curve,
            ci=percentile_interval(normalized[1:], options.level),
            p=self._p(raw, model, brain, parts, options),
            n_stimuli=recorded.n_stimuli,
            n_neuroids=0 if recorded.cube is None else recorded.cube.shape[2],
            left_out=dict(recorded.n_left_out),
            methods={
                "model_rdm": "1 - Pearson r",
                "brain_rdm": "as published" if recorded.rdms is not None else self.distance,
                "compare": self.compare,
                "n_subjects": len(brain),
                "halvings": self.n_repeats if len(layers) > 1 else 0,
                "interval": f"{options.level:.0%} {self.resampling}"
                f"{' and subjects' if len(brain) > 1 else ''}, {options.n_bootstraps} draws",
                "p": f"stimulus labels permuted {options.n_permutations} times",
                "seed": options.seed,
            },
            draws=normalized[1:],
            arrays={"layer_units": np.array(list(by_layer.values()), np.float32)}
            | _rdms(layers[layer], rdms, recorded),
        )

    def _brain(self, recorded: Recording) -> Floats:
        """One RDM a subject, (n_subjects, n_stimuli, n_stimuli): the mean of the subject's sessions."""
        if recorded.rdms is not None:
            mean: Floats = recorded.rdms.mean(axis=1)
            return mean
        return self._of_responses(recorded.responses)[None]

    def _of_responses(self, cube: Floats) -> Floats:
        if self.distance == "crossnobis":
            return crossnobis_rdm(cube)
        return correlation_rdm(np.nanmean(cube, axis=1))

    def _bounds(self, rdms: Floats) -> tuple[float, float, Floats, Floats]:
        """Between which bounds the best model lies: over subjects, then of each."""
        return rdm_ceiling(pairs(rdms))

    def _between(self, one: Floats, other: Floats) -> float:
        """How much two RDMs of the brain agree."""
        return spearman(pairs(one), pairs(other))

    def _prepared(self, rdm: Floats) -> Floats:
        """The RDM with its dissimilarities replaced by their ranks over all pairs."""
        row, column = np.triu_indices(len(rdm), k=1)
        ranks = np.zeros_like(rdm)
        ranks[row, column] = rankdata(rdm[row, column])
        return ranks + ranks.T

    def _agreement(self, model: Floats, brain: Floats, rows: Indices) -> Floats:
        return self._agreement_of(model[np.ix_(rows, rows)], brain[:, rows][:, :, rows])

    def _agreement_of(self, model: Floats, brain: Floats) -> Floats:
        """Pearson r over pairs of ranks, per subject; sums over whole symmetric matrices, diagonals being zero."""
        n = len(model) * (len(model) - 1)
        mean_m, mean_b = model.sum() / n, brain.sum(axis=(1, 2)) / n
        covariance = np.tensordot(brain, model, axes=2) / n - mean_m * mean_b
        variance = ((model**2).sum() / n - mean_m**2) * ((brain**2).sum(axis=(1, 2)) / n - mean_b**2)
        r: Floats = covariance / np.sqrt(np.maximum(variance, 1e-300))
        return r

    def _parts(self, model: Mapping[str, Floats], brain: Floats, recorded: Recording) -> Parts:
        """Which layer is reported on which stimuli."""
        if len(model) == 1:
            return [(next(iter(model)), np.arange(recorded.n_stimuli))]
        labels = recorded.column(self.halves.stratify)
        parts = []
        for repeat in range(self.n_repeats):
            splitter = Splitter(n_splits=2, stratify=self.halves.stratify, seed=self.halves.seed + repeat)
            for half in splitter.split(recorded.n_stimuli, labels=labels):
                on_training = {
                    layer: self._agreement(m, brain, half.train).mean() for layer, m in model.items()
                }
                parts.append((max(on_training, key=on_training.__getitem__), half.test))
        return parts

    def _draws(
        self, model: Mapping[str, Floats], brain: Floats, parts: Parts, options: ScoringOptions
    ) -> Floats:
        if options.n_bootstraps == 0:
            return np.array([])
        n_subjects, n_stimuli = brain.shape[:2]
        weights = bootstrap_weights(n_stimuli, options.n_bootstraps, random_state=options.seed)
        subjects = (
            bootstrap_weights(n_subjects, options.n_bootstraps, random_state=options.seed + 1) / n_subjects
        )
        total = np.zeros((options.n_bootstraps, n_subjects))
        for layer, rows in parts:
            first, second = (rows[index] for index in np.triu_indices(len(rows), k=1))
            model_pairs = np.repeat(model[layer][first, second][:, None], n_subjects, axis=1)
            brain_pairs = brain[:, first, second].T
            step = max(1, ENTRIES // len(first))
            for start in range(0, len(weights), step):
                block = weights[start : start + step]
                r = weighted_pearson(model_pairs, brain_pairs, block[:, first] * block[:, second])
                total[start : start + step] += np.nan_to_num(r) / len(parts)
        draws: Floats = (total * subjects).sum(axis=1)
        return draws

    def _p(
        self,
        observed: float,
        model: Mapping[str, Floats],
        brain: Floats,
        parts: Parts,
        options: ScoringOptions,
    ) -> float:
        if options.n_permutations == 0:
            return float("nan")
        orders = permutations(brain.shape[1], options.n_permutations, random_state=options.seed + 2)
        null = np.zeros(len(orders))
        for layer, rows in parts:
            within = brain[:, rows][:, :, rows]
            for i, order in enumerate(orders):
                shuffled = order[rows]
                null[i] += self._agreement_of(model[layer][np.ix_(shuffled, shuffled)], within).mean() / len(
                    parts
                )
        return p_value(observed, null)


_FACTS: dict[str, Any] = {
    "formula": "Spearman r of the dissimilarities of all pairs of stimuli, mean over subjects",
    "options": ("stratify",),
    "axis": "RDM correlation (Spearman r)",
    "ceilings": ("rdm", "r_max", "none"),
    "citation": "Kriegeskorte, Mur & Bandettini (2008), Front. Syst. Neurosci. 2:4",
}


@metric(
    "rsa",
    sentence="a layer's dissimilarities (1 - Pearson r) are rank-correlated with the brain's",
    like=("rdm",),
    **_FACTS,
)
def rsa(recorded: Recording, *, stratify: str | None = None) -> Similarity:
    """RSA whose dissimilarities are 1 - Pearson r on both sides."""
    recorded.column(stratify)
    return Similarity("rsa", "correlation", Splitter(n_splits=2, stratify=stratify))


@metric(
    "rsa_crossnobis",
    sentence="a layer's dissimilarities (1 - Pearson r) are rank-correlated with the brain's crossnobis distances",
    **_FACTS,
)
def rsa_crossnobis(recorded: Recording, *, stratify: str | None = None) -> Similarity:
    """RSA whose brain dissimilarities are cross-validated Mahalanobis distances."""
    recorded.column(stratify)
    return Similarity("rsa_crossnobis", "crossnobis", Splitter(n_splits=2, stratify=stratify))


def _no_ceiling() -> Ceiling:
    return Ceiling("none", float("nan"))


def _rdms(features: npt.ArrayLike, brain: Floats, recorded: Recording) -> dict[str, npt.NDArray[Any]]:
    """The RDMs of the model and of the brain (mean over subjects), as pairs, for figures; none for many stimuli."""
    if recorded.n_stimuli > _MOST_DRAWN:
        return {}
    category = recorded.columns.get("category")
    return {
        "model_rdm": pairs(correlation_rdm(features)).astype(np.float32),
        "brain_rdm": pairs(brain.mean(axis=0)).astype(np.float32),
        "stimulus_id": np.asarray(recorded.stimulus_ids, str),
        "category": np.full(recorded.n_stimuli, "") if category is None else np.asarray(category, str),
    }
