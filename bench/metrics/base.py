"""What a metric finds, and how it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from ...analysis.statistics.replicates import Replicates
from ...errors import UserError
from .recording import Recording

Floats = npt.NDArray[np.float64]
_NO_WIDTH = 1e-9
SAME = "none: whatever is drawn or left out, the score is the same"
"""Why there is no interval where it would have no width."""
Layers = Mapping[str, npt.ArrayLike]
"""Features of shape (n_stimuli, n_units) by layer."""


@dataclass(frozen=True)
class Ceiling:
    """The best that a model could score, given the noise.

    Attributes
    ----------
    kind : str
        One of ``CEILING_KINDS``; ``none`` where the recordings allow no estimate.
    value : float
        One number for the region: the median over neuroids, or the upper bound. NaN for ``none``.
    per_neuroid : array of shape (n_neuroids,) or None
    lower, upper : float or None
        For ``rdm``: the bounds over subjects.
    per_subject : mapping
        For ``rdm``: ``{"lower": ..., "upper": ...}``, arrays of shape (n_subjects,).
    note : str
        Why there is none.
    """

    kind: str
    value: float
    per_neuroid: Floats | None = None
    lower: float | None = None
    upper: float | None = None
    per_subject: Mapping[str, Floats] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class ScoringOptions:
    """How sure to be.

    Attributes
    ----------
    seed : int
        Of every random draw.
    n_bootstraps, n_permutations : int
        0 skips the interval, or the p value.
    level : float
        Of the interval.
    beyond : tuple of str
        Nuisance spaces; empty for none.
    """

    seed: int = 0
    n_bootstraps: int = 1000
    n_permutations: int = 1000
    level: float = 0.95
    beyond: tuple[str, ...] = ()


@dataclass(frozen=True)
class Beyond:
    """What a model adds to nuisance spaces.

    Attributes
    ----------
    beyond : float
        The variance, over the reliability where there is a ceiling.
    beyond_ci : (float, float)
    beyond_p : float
        NaN where it was not asked for, as the interval.
    beyond_spaces : list of str
    said : mapping
        For the methods of a record.
    """

    beyond: float = float("nan")
    beyond_ci: tuple[float, float] = (float("nan"), float("nan"))
    beyond_p: float = float("nan")
    beyond_spaces: Sequence[str] = ()
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricResult:
    """What a metric found.

    Attributes
    ----------
    value : float
        The headline, normalised by the ceiling.
    raw : float
        The same before normalisation.
    per_unit : array
        Raw value of each neuroid (or subject, for RDMs).
    unit : {"neuroid", "subject", "none"}
        What `per_unit` counts.
    normalization : str
        The name of the formula from `raw` to `value`.
    layer : str
        The layer chosen most often on training stimuli.
    layer_by_split : sequence of str
    layers : mapping of str to float
        Every layer's raw value on the held-out stimuli: the layer curve.
    ci : (float, float)
        Bootstrap interval of the headline. NaN where it was not asked for.
    p : float
        Permutation p of the headline. NaN where it was not asked for.
    n_stimuli, n_neuroids : int
        That the headline stands on.
    left_out : mapping of str to int
        What was left out, by reason.
    methods : mapping
        What was done: folds, penalties, how p and the interval were drawn.
    draws : array of shape (n_bootstraps,) or (0,)
        Bootstrap draws of the headline, of metrics without `replicates`. The same seed draws the same stimuli for every
        model, so that differences of draws are paired.
    replicates : Replicates or None
        What the interval was made of; those of two models on the same recording are paired.
    arrays : mapping of str to array
        What figures need besides: ``layer_units`` (n_layers, n_units), ``model_rdm`` and ``brain_rdm`` (pairs),
        ``stimulus_id`` and ``category`` in the order of the RDMs.
    added : Beyond
        What the model adds to nuisance spaces, where it was asked for.
    """

    value: float
    raw: float
    per_unit: Floats
    unit: Literal["neuroid", "subject", "none"]
    normalization: str
    layer: str
    layer_by_split: Sequence[str]
    layers: Mapping[str, float]
    ci: tuple[float, float]
    p: float
    n_stimuli: int
    n_neuroids: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    methods: Mapping[str, Any] = field(default_factory=dict)
    draws: Floats = field(default_factory=lambda: np.empty(0), repr=False)
    replicates: Replicates | None = field(default=None, repr=False)
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict, repr=False)
    added: Beyond = field(default_factory=Beyond, repr=False)

    def __post_init__(self) -> None:
        """An interval of no width, of draws that all end alike, says nothing of other stimuli: there is none."""
        low, high = self.ci
        if high - low <= _NO_WIDTH * max(abs(low), abs(high)):
            said = {**self.methods, "interval": SAME}
            object.__setattr__(self, "ci", (float("nan"), float("nan")))
            object.__setattr__(self, "methods", said)


class Metric(Protocol):
    """A way to compare a model's layers with a recording."""

    @property
    def name(self) -> str:
        """As in the benchmark's identifier."""

    def ceiling(self, recorded: Recording) -> Ceiling:
        """The best that any model could score."""

    def evaluate(
        self, layers: Layers, recorded: Recording, ceiling: Ceiling, options: ScoringOptions
    ) -> MetricResult:
        """Compare layers (features of shape (n_stimuli, n_units), in the recording's order)."""

    def memory(self, recorded: Recording, n_units: int) -> int:
        """Bytes that comparing the largest layer takes, beside its features."""


def refuse_missing(layers: Layers) -> None:
    """Refuse features that are NaN or infinite: they end in scores of 0, or in numbers.

    Raises
    ------
    UserError
    """
    for name, features in layers.items():
        if not np.isfinite(np.sum(features, dtype=np.float64)):  # one sum is cheaper than looking at each
            raise UserError(
                f"layer {name!r} has features that are NaN or infinite: leave them, or the layer, out"
            )
