"""How a recording in time is scored: what a benchmark says beside its metric."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from ...brain_data.timeseries.regressors import Downsampling
from ...errors import UserError, unknown

Train = Literal["own", "others", "group"]
By = Literal["", "run", "story", "block"]

TRAINED = {
    "own": "every subject's responses are predicted by a model fitted to that subject",
    "others": "every subject's responses are predicted by a model fitted to the mean of the other subjects",
    "group": "the mean of the subjects' standardized responses is predicted",
}
"""What is fitted and what is predicted, in words."""
CONTEXT = 20
"""Words that stand before each word that a model reads, where a benchmark does not say."""
_DELAYS = (2.0, 4.0, 6.0, 8.0)
_DRIFTS = ("polynomial", "cosine", "none")
_OF_FOLDS = ("by", "n", "gap_s")


@dataclass(frozen=True)
class SeriesOptions:
    """From words and samples to rows of features and targets.

    Attributes
    ----------
    downsample : {"lanczos", "mean", "sum", "last", "hrf"}
        From words or frames to samples, see :func:`brodmann.brain_data.timeseries.regressors.at_samples`.
    delays_s : tuple of float, or None
        Finite impulse response, in s; 2, 4, 6 and 8 by default, and none where a response is assumed (``hrf``).
    trim_s : (float, float)
        What is cut from the start and the end of every run, after drifts and delays.
    detrend : str or int
        ``polynomial`` of order 1 + half the minutes of the run, of the order that is named, ``cosine`` (slower than
        1/128 Hz) or ``none``.
    confounds : bool
        Whether the data set's confounds are regressed out of the responses, run by run.
    train : {"own", "others", "group"}
    by : {"", "run", "story", "block"}
        What folds hold out; runs (or stories, where some were heard again) by default, blocks of less than three.
    n : int
        Most folds.
    gap_s : float
        What is left out of training on both sides of a held-out block.
    """

    downsample: Downsampling = "lanczos"
    delays_s: tuple[float, ...] | None = None
    trim_s: tuple[float, float] = (20.0, 10.0)
    detrend: str | int = "polynomial"
    confounds: bool = False
    train: Train = "own"
    by: By = ""
    n: int = 10
    gap_s: float = 10.0

    @property
    def delays(self) -> tuple[float, ...]:
        """In s; (0,) where there are none."""
        if self.delays_s is None:
            return (0.0,) if self.downsample == "hrf" else _DELAYS
        return self.delays_s or (0.0,)


NAMES = frozenset(one.name for one in fields(SeriesOptions)) - {"by", "n", "gap_s"}
"""What stands beside a metric's options; folds may be a table with ``by``, ``n`` and ``gap_s``."""


def series_options(given: Mapping[str, Any], owner: str) -> tuple[SeriesOptions | None, dict[str, Any]]:
    """Options of a benchmark in two: those of a series, None where there are none, and all others.

    Parameters
    ----------
    given : mapping
        As in a benchmark's TOML.
    owner : str
        The benchmark, for messages.

    Raises
    ------
    UserError
        For a value that an option cannot have.
    """
    said = {name: value for name, value in given.items() if name in NAMES}
    if str(said.get("train", "")).partition("=")[1]:  # COLUMN=VALUE: what a metric fits
        del said["train"]
    others = {name: value for name, value in given.items() if name not in said}
    if isinstance(others.get("folds"), Mapping):
        folds = dict(others.pop("folds"))
        for name in folds:
            if name not in _OF_FOLDS:
                raise unknown(f"entry of folds of {owner}", name, _OF_FOLDS)
        said |= folds
    if not said:
        return None, others
    checks = {
        "downsample": _one_of(get_args(Downsampling)),
        "delays_s": _numbers,
        "trim_s": _two,
        "detrend": _drift,
        "confounds": _flag,
        "train": _one_of(get_args(Train)),
        "by": _one_of(get_args(By)),
        "n": _count,
        "gap_s": _seconds,
    }
    read = {}
    for name, value in said.items():
        try:
            read[name] = checks[name](value)
        except (TypeError, ValueError) as error:
            raise UserError(f"{owner}: {name} must be {error}, not {value!r}") from None
    return SeriesOptions(**read), others


def _one_of(known: tuple[str, ...]) -> Any:
    def check(value: Any) -> str:
        if value not in known:
            raise ValueError(f"one of {', '.join(map(repr, filter(None, known)))}")
        return str(value)

    return check


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        raise ValueError(what)
    return float(value)


def _numbers(value: Any) -> tuple[float, ...]:
    what = "a list of seconds, such as [2, 4, 6, 8]"
    if not isinstance(value, list | tuple) or len(value) > 100:
        raise ValueError(what)
    return tuple(_number(one, what) for one in value)


def _two(value: Any) -> tuple[float, float]:
    what = "two numbers of seconds from 0, such as [20, 10]"
    if not isinstance(value, list | tuple) or len(value) != 2 or min(_number(one, what) for one in value) < 0:
        raise ValueError(what)
    return float(value[0]), float(value[1])


def _drift(value: Any) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 30:
        return value
    if value not in _DRIFTS:
        raise ValueError(f"one of {', '.join(map(repr, _DRIFTS))}, or the order of a polynomial")
    return str(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= 1000:
        raise ValueError("a whole number from 2")
    return value


def _seconds(value: Any) -> float:
    what = "a number of seconds from 0"
    if _number(value, what) < 0:
        raise ValueError(what)
    return float(value)
