"""Brain-Score's metrics that fit nothing: ``rdm``, ``cka`` and ``cka_biased``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Indices, Splitter
from ...analysis.representation.rdm import pairs, spearman
from ...analysis.statistics.resampling import p_value, percentile_interval
from ...errors import UserError
from ...progress import track
from .base import Ceiling, MetricResult, ScoringOptions
from .recording import Recording

Floats = npt.NDArray[np.float64]

_BLOCK = 1 << 14


@dataclass(frozen=True)
class BrainScoreSimilarity:
    """Brain-Score's ``rdm``, ``cka`` and ``cka_biased``: one number for a layer and a region, nothing fitted.

    Attributes
    ----------
    name : str
    relate : callable
        Features or responses, (n_stimuli, n_units) -> how every two stimuli relate, (n_stimuli, n_stimuli).
    compare : callable
        Two such matrices -> similarity.
    """

    name: str
    relate: Callable[[npt.ArrayLike], Floats]
    compare: Callable[[Floats, Floats], float]

    def ceiling(self, recorded: Recording) -> Ceiling:
        """Brain-Score's own registry gives these no ceiling."""
        del recorded
        return Ceiling("none", float("nan"))

    def memory(self, recorded: Recording, n_units: int) -> int:
        """One block of features in float64 and a few square matrices."""
        return 8 * (recorded.n_stimuli * min(n_units, 1 << 16) + 10 * recorded.n_stimuli**2)

    def evaluate(
        self,
        layers: Mapping[str, npt.ArrayLike],
        recorded: Recording,
        ceiling: Ceiling,
        options: ScoringOptions,
    ) -> MetricResult:
        """Compare every layer; among several, the layer is chosen on half of the stimuli, reported on the rest."""
        y = recorded.mean
        if len(y) < 8:
            raise UserError(f"{recorded.name}: {self.name} needs at least 8 stimuli, not {len(y)}")
        brain = self.relate(y)
        model = {
            layer: self.relate(values)
            for layer, values in track(list(layers.items()), f"comparing {self.name}")
        }
        curve = {layer: self.compare(relations, brain) for layer, relations in model.items()}
        parts = self._parts(model, brain)
        observed = self._mean(model, brain, [(layer, rows, rows) for layer, rows in parts])
        generator = np.random.default_rng([options.seed, 3])
        null = [
            self._mean(model, brain, [(layer, rows, generator.permutation(rows)) for layer, rows in parts])
            for _ in range(options.n_permutations)
        ]
        drawn = np.zeros(options.n_bootstraps)
        for i in range(options.n_bootstraps):
            some = [(layer, _two_thirds(rows, generator)) for layer, rows in parts]
            drawn[i] = self._mean(model, brain, [(layer, rows, rows) for layer, rows in some])
        # two thirds without replacement spread by 1 / sqrt(2) of what a bootstrap does
        spread = np.sqrt(2) * (drawn - drawn.mean()) if len(drawn) else drawn
        chosen = [layer for layer, _ in parts]
        return MetricResult(
            value=observed,
            raw=observed,
            per_unit=np.array([]),
            unit="none",
            normalization="none",
            layer=max(dict.fromkeys(chosen), key=chosen.count),
            layer_by_split=chosen,
            layers=curve,
            ci=percentile_interval(observed + spread, options.level),
            draws=observed + spread,
            p=p_value(observed, np.array(null)) if null else float("nan"),
            n_stimuli=len(y),
            n_neuroids=y.shape[1],
            left_out=dict(recorded.n_left_out),
            methods={
                "interval": f"{options.level:.0%} subsampling of two thirds of the stimuli without replacement, "
                f"rescaled, {options.n_bootstraps} draws",
                "p": f"stimulus labels permuted {options.n_permutations} times",
                "seed": options.seed,
            },
        )

    def _parts(self, model: Mapping[str, Floats], brain: Floats) -> list[tuple[str, Indices]]:
        """Which layer is reported on which stimuli."""
        if len(model) == 1:
            return [(next(iter(model)), np.arange(len(brain)))]
        parts = []
        for half in Splitter(n_splits=2, seed=1).split(len(brain)):
            on_training = {name: self._mean(model, brain, [(name, half.train, half.train)]) for name in model}
            parts.append((max(on_training, key=on_training.__getitem__), half.test))
        return parts

    def _mean(
        self, model: Mapping[str, Floats], brain: Floats, parts: list[tuple[str, Indices, Indices]]
    ) -> float:
        """Mean similarity of a layer's stimuli and the brain's, each by its rows."""
        return float(
            np.mean([self.compare(model[name][np.ix_(a, a)], brain[np.ix_(b, b)]) for name, a, b in parts])
        )


def _two_thirds(rows: Indices, generator: np.random.Generator) -> Indices:
    return generator.choice(rows, max(4, 2 * len(rows) // 3), replace=False)


def similarities(features: npt.ArrayLike) -> Floats:
    """X X', read a block of columns at a time; features are not centred."""
    source = np.asarray(features)
    total = np.zeros((len(source), len(source)))
    for start in range(0, source.shape[1], _BLOCK):
        part = source[:, start : start + _BLOCK].astype(np.float64)
        total += part @ part.T
    return total


def rdm_agreement(model: Floats, brain: Floats) -> float:
    """Spearman r of the upper triangles of two RDMs."""
    return spearman(pairs(model), pairs(brain))


def unbiased_cka(model: Floats, brain: Floats) -> float:
    """Linear CKA from the unbiased HSIC of Song et al. (2007); 0 where a self-similarity is not positive."""
    k, m = _hollow(model), _hollow(brain)
    product = _hsic(k, k) * _hsic(m, m)
    return float(_hsic(k, m) / (np.sqrt(product) + 1e-12)) if product > 0 else 0.0


def _hollow(gram: Floats) -> Floats:
    hollow = gram.copy()
    np.fill_diagonal(hollow, 0)
    return hollow


def _hsic(k: Floats, m: Floats) -> float:
    n = len(k)
    whole = k.sum() * m.sum() / ((n - 1) * (n - 2))
    return float(((k * m).sum() + whole - 2 / (n - 2) * (k.sum(axis=0) @ m.sum(axis=0))) / (n * (n - 3)))


def biased_cka(model: Floats, brain: Floats) -> float:
    """Linear CKA of Kornblith et al. (2019), from Gram matrices that are centred here."""
    k, m = _centered(model), _centered(brain)
    return float((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))


def _centered(gram: Floats) -> Floats:
    means = gram.mean(axis=0)
    centered: Floats = gram - means - means[:, None] + means.mean()
    return centered
