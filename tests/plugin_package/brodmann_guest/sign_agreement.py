"""A metric: how often a layer and the brain have the same sign, with a normalization and a ceiling of its own."""

from dataclasses import dataclass

import numpy as np

from brodmann.bench.metrics.base import Ceiling
from brodmann.bench.metrics.registries import ceiling_kind, metric, normalization
from brodmann.bench.metrics.whole_comparison import WholeComparison


@normalization(
    "cube_over_ceiling",
    sentence="the cube of the agreement divided by that of two presentations",
    formula="agreement^3 / ceiling",
)
def cube_over_ceiling(r, ceiling):
    """Values (..., n_splits, 1) -> (...)."""
    return r.mean(axis=(-2, -1)) ** 3 / ceiling


@ceiling_kind("two_presentations", "agreement of the first presentation with the second")
def two_presentations(value):
    """The ceiling itself."""
    return value


@metric(
    "sign_agreement",
    sentence="the sign of a layer's mean unit is compared with that of the mean neuroid",
    formula="2 x share of stimuli of the same sign - 1",
    axis="agreement of signs",
    ceilings=("two_presentations",),
)
@dataclass(frozen=True)
class SignAgreement(WholeComparison):
    """Agreement from -1 to 1; 0 for a model that guesses."""

    name: str = "sign_agreement"

    def ceiling(self, recorded):
        """Two presentations, compared as a layer is."""
        first, second = (self.prepared(recorded.responses[:, i]) for i in range(2))
        return Ceiling("two_presentations", agreement(first, second))

    def memory(self, recorded, n_units):
        """Features in double precision."""
        return 8 * recorded.n_stimuli * n_units

    def prepared(self, values):
        """The sign of each stimulus."""
        return np.sign(np.asarray(values, float).mean(axis=1))

    def compared(self, model, brain, rows, brain_rows):
        """One value."""
        return np.array([agreement(model[rows], brain[brain_rows])])

    def normalized(self, recorded, ceiling):
        """The one value, by this module's formula."""
        return np.arange(1), {}, cube_over_ceiling, np.asarray(ceiling.value)


def agreement(a, b):
    """2 x share - 1."""
    return float(2 * np.mean(a == b) - 1)
