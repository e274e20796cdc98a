"""Banded ridge: a model's layer and nuisance spaces fitted together, each with a penalty of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.on_card.fit import products_of
from ...errors import UserError
from .banded_joint import Joint
from .base import Beyond, Ceiling, Layers, MetricResult, ScoringOptions, refuse_missing
from .headline import Headline
from .interval_words import said_of
from .recording import Recording
from .registries import metric
from .ridge import Encoding
from .ridge import ridge as single_band
from .sampling import Sampling

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Banded:
    """Banded ridge from a layer and nuisance spaces to every neuroid.

    The headline is that of ridge, of the joint prediction. A space's product score is sum p_k (2 y - p) / sum y^2, all
    centred within folds (over the spaces it sums to the explained variance), its unique score the explained variance of
    all spaces less that of all others, fitted anew.

    Attributes
    ----------
    single : Encoding
        Ridge on one band, which chooses the layer of each fold.
    n_draws : int
        Random weightings of the spaces that are tried.
    n_delays : int
        Where above 1: every delay of every space has a penalty of its own, and spaces hold delay after delay.
    spaces : mapping of str to sequence of array
        The nuisance spaces, each of one or more arrays of features.
    """

    single: Encoding
    n_draws: int = 100
    n_delays: int = 1
    spaces: Mapping[str, Sequence[npt.ArrayLike]] = field(default_factory=dict, repr=False)
    name: str = "banded"

    @property
    def sampling(self) -> Sampling:
        """Folds, and what depends on what."""
        return self.single.sampling

    def beside(self, spaces: Mapping[str, Sequence[npt.ArrayLike]]) -> Banded:
        """The same with nuisance spaces, rows in the recording's order."""
        return replace(self, spaces=spaces)

    def ceiling(self, recorded: Recording) -> Ceiling:
        """As of ridge."""
        return self.single.ceiling(recorded)

    def memory(self, recorded: Recording, n_units: int) -> int:
        """Kernels, their mixture and its eigenvectors, targets and what is kept of them."""
        n, n_targets = recorded.n_stimuli, recorded.responses.shape[2]
        of_search = 8 * n**2 * (len(self.spaces) + 8) + 8 * n * (10 * n_targets) + (1 << 30)
        return max(of_search, self.single.memory(recorded, n_units))

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Choose the layer on training stimuli by ridge on it alone, fit it with the other spaces, and report."""
        refuse_missing(layers)
        weights, kept = self.single.chosen(recorded)
        headline = Headline.of(recorded, ceiling, self.sampling.tests, weights).only(kept)
        units: dict[str, Floats] = {}
        curve, best = self.single.sweep(layers, recorded, units=units)
        chosen = [layer for layer, _ in best]
        work = Joint(
            self, layers, chosen, _fitted(recorded)[:, kept], recorded.mean[:, kept], headline, options
        )
        replicates = work.replicates
        everyone = np.full(recorded.responses.shape[2], np.nan)
        everyone[kept] = work.r
        p, how = work.p()
        held_out = np.unique(np.concatenate(self.sampling.tests))
        left_out = {
            "neuroids predicted as a constant (counted as r = 0)": int((work.r == 0).sum()),
            "stimuli neither fitted nor held out": recorded.n_stimuli - self.sampling.n_used,
        }
        return MetricResult(
            value=headline.value(work.r),
            raw=float(headline.raw(work.r)),
            per_unit=everyone,
            unit="neuroid",
            normalization=headline.normalization.name,
            layer=max(dict.fromkeys(chosen), key=chosen.count),
            layer_by_split=chosen,
            layers=curve,
            ci=replicates.interval(options.level),
            p=p,
            n_stimuli=int((weights[held_out] > 0).sum()),
            n_neuroids=len(kept),
            left_out=dict(recorded.n_left_out) | {why: count for why, count in left_out.items() if count},
            methods=self.sampling.describe()
            | {"layers": "chosen, and compared, by ridge on each alone", "weightings": len(work.weightings)}
            | products_of([one for _, one in best])
            | headline.methods(work.r)
            | said_of(replicates, options)
            | how
            | work.said(),
            replicates=replicates,
            arrays={"layer_units": np.array(list(units.values()), np.float32)} | work.arrays(kept, everyone),
            added=work.added() if self.spaces else Beyond(),
        )


def _fitted(recorded: Recording) -> Floats:
    """What is fitted: the mean of other subjects where the recording has it."""
    fitted: Floats = getattr(recorded, "fitted", recorded.mean)
    return fitted


@metric(
    "banded",
    sentence="every neuroid's response is predicted by banded ridge regression from the layer and nuisance spaces, "
    "each with a penalty of its own",
    formula="Pearson r between the joint prediction and the mean response on held-out stimuli, pooled over folds and "
    "centred within each, median over neuroids, mean over subjects",
    options=("folds", "inner_folds", "group", "train", "test", "n_draws", "bands"),
    citation="Dupre la Tour et al. 2022, NeuroImage 264:119728",
    in_time=True,
    jointly=True,
)
def banded(recorded: Recording, *, n_draws: int = 100, bands: str = "spaces", **options: Any) -> Banded:
    """Banded ridge with nested cross-validation; the other options are those of ridge."""
    if isinstance(n_draws, bool) or not str(n_draws).isdigit():
        raise UserError(f"n_draws must be a whole number, not {n_draws!r}")
    if bands not in ("spaces", "delays"):
        raise UserError(f"bands must be 'spaces' or 'delays', not {bands!r}")
    n_delays = 1
    if bands == "delays":
        series = getattr(recorded, "series", None)
        if series is None or len(series.delays) < 2:
            raise UserError(
                f"{recorded.name}: bands = 'delays' needs a recording in time with two delays or more"
            )
        n_delays = len(series.delays)
    return Banded(single_band(recorded, **options), int(n_draws), n_delays)
