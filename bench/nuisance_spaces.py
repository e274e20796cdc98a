"""Nuisance spaces by name: registered ones, columns of the stimuli, models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import UserError, unknown
from ..fingerprint import fingerprint
from ..source_digest import module_name
from .layer_comparison import layer_features
from .metrics.registries import NUISANCE_SPACES, NuisanceSpace

if TYPE_CHECKING:
    from .benchmark import Benchmark
    from .metrics.recording import Recording

NONE = "none"
_HERE = "bench.nuisance_spaces"


@dataclass(frozen=True)
class Nuisance:
    """A nuisance space of one benchmark.

    Attributes
    ----------
    name : str
    digest : object
        What it is, for the key of a score.
    modules : tuple of str
        The modules of this package that it stands on.
    features : callable
        () -> one or more arrays of features, rows in the recording's order.
    """

    name: str
    digest: Any
    modules: tuple[str, ...]
    features: Callable[[], Sequence[npt.ArrayLike]]


def names_of_spaces(
    benchmark: "Benchmark", asked: Sequence[str] | None, *, recording_alone: bool = False
) -> list[str]:
    """Which spaces a score is to be beyond of.

    Parameters
    ----------
    benchmark : Benchmark
    asked : sequence of str or None
        The benchmark's own for None; ``none`` for none.
    recording_alone : bool
        Whether there is no model.

    Raises
    ------
    UserError
        Where the metric, or a recording without a model, has no variance to divide.
    """
    if asked is None and recording_alone:
        return []
    given = benchmark.card.beyond if asked is None else [asked] if isinstance(asked, str) else asked
    names = list(dict.fromkeys(given))
    if NONE in names:
        if len(names) > 1:
            raise UserError("beyond: 'none' stands by itself")
        return []
    divides = any(hasattr(benchmark.metric, way) for way in ("beyond", "beside"))
    if names and (recording_alone or not divides):
        what = "a recording by itself" if recording_alone else f"the metric {benchmark.metric.name}"
        raise UserError(
            f"{benchmark.identifier}: {what} has no variance to divide between a model and {', '.join(names)}: "
            "beyond is known to ridge, linear and banded"
        )
    return names


def open_space(name: str, benchmark: "Benchmark") -> Nuisance:
    """A space by its name: registered, else a column of the stimuli, else a model.

    Raises
    ------
    UserError
        For a name that is none of them, a model that cannot read the stimuli, or features that do not vary.
    """
    recorded, metric = benchmark.recording, benchmark.metric
    if name in NUISANCE_SPACES:
        space, how = NUISANCE_SPACES[name], getattr(metric, "sampling", None)
        modules = filter(None, [_HERE, module_name(NUISANCE_SPACES.origin(name))])
        return Nuisance(
            name,
            fingerprint(space).digest,
            tuple(modules),
            lambda: _varying(name, benchmark, [_registered(space, recorded, how)]),
        )
    if name in recorded.columns or (recorded.series is not None and name in recorded.series.words):
        from .metrics.nuisance import of_column

        column = _varying(name, benchmark, [of_column(recorded, name)])
        return Nuisance(name, "column", (_HERE, "bench.metrics.nuisance"), lambda: column)
    return _of_model(name, benchmark)


def _registered(space: NuisanceSpace, recorded: "Recording", how: Any) -> npt.ArrayLike:
    """The features of a registered space, a row a row of the recording."""
    from .metrics.nuisance import of_words

    if space.of_words is not None:
        return of_words(recorded, space.of_words)
    assert space.features_of is not None  # one of the two there is
    return space.features_of(recorded, how)


def _of_model(name: str, benchmark: "Benchmark") -> Nuisance:
    from ..models import load_model
    from ..models.catalogue import MODELS

    if name not in MODELS and not any(sign in name for sign in ":/.") and not Path(name).exists():
        known = [*NUISANCE_SPACES, *benchmark.recording.columns, *MODELS]
        raise unknown("nuisance space, column or model", name, known)
    model, data = load_model(name), benchmark.dataset
    if model.modality != data.modality:
        raise UserError(
            f"the nuisance space {name!r} is a {model.modality} model, but {benchmark.identifier} is a "
            f"{data.modality} benchmark"
        )
    module = module_name(type(model).__module__)
    return Nuisance(
        name,
        [
            model.identifier,
            list(model.layers),
            dict(model.numerics),
            model.digest,
            fingerprint(type(model)).digest,
        ],
        tuple(filter(None, [_HERE, module, *model.made_by])),
        lambda: _varying(name, benchmark, list(layer_features(model, benchmark, model.layers).values())),
    )


def _varying(name: str, benchmark: "Benchmark", spaces: Sequence[npt.ArrayLike]) -> Sequence[npt.ArrayLike]:
    """The spaces that vary, of which there must be one."""
    kept = [one for one in spaces if _varies(np.asarray(one))]
    if not kept:
        raise UserError(f"{benchmark.identifier}: the nuisance space {name!r} is the same for every stimulus")
    return kept


def _varies(features: npt.NDArray[Any]) -> bool:
    return bool((features != features[0]).any())
