"""What a metric consists of, by name: registries of metrics, normalizations, noise ceilings and nuisance spaces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import UserError, unknown
from ...registry import Registry
from .series_options import NAMES as SERIES_OPTIONS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from .base import Metric
    from .recording import Recording
    from .sampling import Sampling

    Floats = npt.NDArray[np.float64]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class MetricCard:
    """A metric before it meets a recording.

    Attributes
    ----------
    name : str
        As in the benchmark's identifier.
    build : callable
        ``(recorded, **options)`` -> the metric; a class is called with the options alone.
    sentence : str
        What the metric does, for the methods text.
    formula : str
        The raw value.
    options : tuple of str
        What a benchmark may set.
    axis : str
        The raw value on an axis.
    ceilings : tuple of str
        The kinds of noise ceiling that it may have.
    bounds : (float, float)
        The least and the greatest raw value.
    version : int
        Rises when a value would change.
    citation : str
        Where the metric was published.
    brainscore : mapping
        ``vision`` or ``language`` -> the name of Brain-Score's metric that it equals.
    like : tuple of str
        Metrics that Brain-Score has, where it has not this one.
    in_time : bool
        Whether it scores samples of a recording in time, too.
    jointly : bool
        Whether layers are fitted together with other spaces, so that the raw value is that of none alone.
    reads : str
        What of a model is compared: ``activations`` of its layers, or the ``surprisal`` of texts.
    by_bin : bool
        Whether time bins are told apart: every neuroid and bin is a column of the recording, with ``time_bin_start``.
    form : str
        What of a recording is compared: ``responses`` to each stimulus, judgements of ``triplets``, or ``choices``.
    """

    name: str
    build: Callable[..., Any]
    sentence: str
    formula: str
    options: tuple[str, ...] = ()
    axis: str = "held-out correlation (Pearson r)"
    ceilings: tuple[str, ...] = ("r_max", "reliability", "none")
    bounds: tuple[float, float] = (-1.0, 1.0)
    version: int = 1
    citation: str = ""
    brainscore: Mapping[str, str] = field(default_factory=dict)
    like: tuple[str, ...] = ()
    in_time: bool = False
    jointly: bool = False
    reads: str = "activations"
    by_bin: bool = False
    form: str = "responses"

    def check(self, options: Mapping[str, Any], owner: str) -> None:
        """Refuse options that the metric does not use; `owner` is what they were given for."""
        for option in options:
            if option not in self.options:
                known = [*self.options, *(SERIES_OPTIONS if self.in_time else ())]
                wrong = unknown(f"option of {owner}", option, known)
                raise UserError(f"{wrong} ({self.name} has {', '.join(self.options) or 'no options'})")

    def make(self, recorded: "Recording", options: Mapping[str, Any]) -> "Metric":
        """The metric for one recording."""
        if recorded.series is not None and not self.in_time:
            known = [name for name, one in METRICS.items() if one.in_time]
            raise UserError(
                f"{recorded.name} is a recording in time, and {self.name} compares single stimuli: score it by "
                f"{', '.join(known)}"
            )
        self.check(options, recorded.name)
        given = () if isinstance(self.build, type) else (recorded,)
        made: Metric = self.build(*given, **options)
        return made


@dataclass(frozen=True)
class Normalization:
    """From raw values to the headline.

    Attributes
    ----------
    name : str
    formula_of : callable
        Raw values ``(..., n_splits, n_units)`` and what they are divided by -> headlines ``(...)``.
    sentence : str
        After "The score is", for the methods text.
    formula : str
        For a line of the terminal.
    axis : str
        The headline on an axis.
    clips : bool
        Whether headlines end at 0 and 1.
    chance : float
        The raw value of a model that knows nothing.
    without_ceiling : float or None
        What stands for the ceiling of recordings that allow none; None where there is no score without one.
    of_each : bool
        Whether every neuroid is divided by a ceiling of its own.
    expression : str
        The same in Python, from ``raw`` and ``CEILING``, for files that stand without this package.
    """

    name: str
    formula_of: Callable[["Floats", "Floats"], "Floats"]
    sentence: str
    formula: str
    axis: str = "score (share of the noise ceiling)"
    clips: bool = False
    chance: float = 0.0
    without_ceiling: float | None = None
    of_each: bool = False
    expression: str = ""

    def __call__(self, r: "Floats", ceiling: "Floats") -> "Floats":
        """The headline."""
        return self.formula_of(r, ceiling)


@dataclass(frozen=True)
class CeilingKind:
    """A kind of noise ceiling.

    Attributes
    ----------
    name : str
    best : callable
        The ceiling -> the raw value that the best model would reach.
    sentence : str
    """

    name: str
    best: Callable[[float], float]
    sentence: str


@dataclass(frozen=True)
class NuisanceSpace:
    """Features that say nothing of what a brain computes, and may predict it all the same.

    Attributes
    ----------
    name : str
    features_of : callable or None
        ``(recorded, sampling)`` -> features ``(n_stimuli, n_features)``, in the order of the recording.
    sentence : str
    version : int
        Rises when the features would change.
    of_words : callable or None
        In its place, table of stimuli -> features ``(n, n_features)``: of a recording in time the table is that of its
        words, whose features are put at the samples as a model's are.
    """

    name: str
    features_of: Callable[["Recording", "Sampling"], "Floats"] | None
    sentence: str
    version: int = 1
    of_words: "Callable[[pd.DataFrame], Floats] | None" = None


_PLACE = f"{__package__}", "brodmann.metrics"
METRICS: Registry[MetricCard] = Registry("metric", *_PLACE)
NORMALIZATIONS: Registry[Normalization] = Registry("normalization", *_PLACE)
CEILING_KINDS: Registry[CeilingKind] = Registry("kind of ceiling", *_PLACE)
NUISANCE_SPACES: Registry[NuisanceSpace] = Registry("nuisance space", *_PLACE)


def metric(name: str, **facts: Any) -> Callable[[F], F]:
    """Register the class, or the function, that builds a metric; the facts are those of a :class:`MetricCard`."""
    return METRICS.registering(name, lambda build: MetricCard(name, build, **facts))


def normalization(
    name: str, **facts: Any
) -> Callable[[Callable[["Floats", "Floats"], "Floats"]], Normalization]:
    """Register a formula; the facts are those of a :class:`Normalization`, which takes the function's place."""

    def add(formula_of: Callable[["Floats", "Floats"], "Floats"]) -> Normalization:
        made = Normalization(name, formula_of, **facts)
        return NORMALIZATIONS.register(name, made, formula_of.__module__)

    return add


def ceiling_kind(name: str, sentence: str) -> Callable[[Callable[[float], float]], CeilingKind]:
    """Register a kind of noise ceiling, which takes the place of the function from its value to the best raw value."""

    def add(best: Callable[[float], float]) -> CeilingKind:
        return CEILING_KINDS.register(name, CeilingKind(name, best, sentence), best.__module__)

    return add


def nuisance_space(name: str, sentence: str, **facts: Any) -> Callable[[F], F]:
    """Register a function of a recording and its sampling that gives features; see :class:`NuisanceSpace`."""
    return NUISANCE_SPACES.registering(
        name,
        lambda found: NuisanceSpace(name, found, sentence, **facts),  # type: ignore[arg-type]
    )


def word_space(
    name: str, of_words: "Callable[[pd.DataFrame], Floats]", sentence: str, **facts: Any
) -> NuisanceSpace:
    """Register a function of a table of words, or of other texts, as a nuisance space."""
    made = NuisanceSpace(name, None, sentence, of_words=of_words, **facts)
    return NUISANCE_SPACES.register(name, made, of_words.__module__)


def words(registry: Mapping[str, Any], name: str, what: str = "sentence") -> str:
    """What a registry says of a name; the name itself where the package that registers it is not installed."""
    return str(getattr(registry.get(name), what, name))
