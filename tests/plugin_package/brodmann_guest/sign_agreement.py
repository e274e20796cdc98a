"""A metric: how often a layer and the brain have the same sign, with a normalization and a ceiling of its own."""

from dataclasses import dataclass

import numpy as np

from brodmann.bench.metrics.base import Ceiling
from brodmann.bench.metrics.registries import ceiling_kind, metric, normalization
from brodmann.bench.metrics.whole_comparison import WholeComparison


@normalization(
    "cube_over_ceiling",
    sentence="the cube of the agreement divided by that of two halves of the presentations",
    formula="agreement^3 / ceiling",
)
def cube_over_ceiling(r, ceiling):
    """Values (..., n_splits, 1) -> (...)."""
    return r.mean(axis=(-2, -1)) ** 3 / ceiling


@ceiling_kind("two_presentations", "agreement of one half of the presentations with the other")
def two_presentations(value):
    """The ceiling itself."""
    return value


@metric(
    "sign_agreement",
    sentence="the sign of each unit is compared with that of the neuroid in its place",
    formula="2 x share of stimuli of the same sign - 1",
    axis="agreement of signs",
    ceilings=("two_presentations",),
)
@dataclass(frozen=True)
class SignAgreement(WholeComparison):
    """Agreement from -1 to 1; 0 for a model that guesses."""

    name: str = "sign_agreement"

    def ceiling(self, recorded):
        """Two halves of the presentations, compared as a layer is."""
        half = recorded.responses.shape[1] // 2
        first, second = recorded.responses[:, :half], recorded.responses[:, half:]
        value = agreement(self.prepared(first.mean(axis=1)), self.prepared(second.mean(axis=1)))
        return Ceiling("two_presentations", value)

    def memory(self, recorded, n_units):
        """Features in double precision."""
        return 8 * recorded.n_stimuli * n_units

    def prepared(self, values):
        """The sign of each unit for each stimulus; 0 for a unit whose sign never varies."""
        signs = np.sign(np.asarray(values, float))
        return signs * (signs != signs[0]).any(axis=0)

    def compared(self, model, brain, rows, brain_rows):
        """One value."""
        return np.array([agreement(model[rows], brain[brain_rows])])

    def normalized(self, recorded, ceiling):
        """The one value, by this module's formula."""
        return np.arange(1), {}, cube_over_ceiling, np.asarray(ceiling.value)


def agreement(a, b):
    """2 x share - 1, of the units that both have and that vary in the brain."""
    shared = np.arange(min(a.shape[1], b.shape[1]))
    shared = shared[b[:, shared].any(axis=0)]
    return float(2 * np.mean(a[:, shared] == b[:, shared]) - 1)
