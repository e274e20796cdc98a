"""How rows of words or frames become rows of samples: at their times, delayed within their story, without its ends."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...brain_data.timeseries.regressors import at_samples, delayed, standardized
from ...errors import UserError
from .series_options import TRAINED, SeriesOptions

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Story:
    """What was heard or seen, and when it was sampled.

    Attributes
    ----------
    name : str
    words : array of int
        Its rows among the words.
    times : array of shape (n_samples,)
        Of all samples, in s.
    kept : array of shape (n_samples,), bool
        Which of them are rows of the recording.
    """

    name: str
    words: Indices = field(repr=False)
    times: Floats = field(repr=False)
    kept: Flags = field(repr=False)


@dataclass(frozen=True)
class Series:
    """How rows of words become rows of samples.

    Attributes
    ----------
    words : DataFrame
        Words or frames in the order of time, story by story: ``stimulus_id``, ``story``, ``onset``, ``offset``, ...
    stories : tuple of Story
    tr : float
    delays : tuple of int
        In samples.
    options : SeriesOptions
    confounds : DataFrame or None
        One row a row of the recording; of a subject where a name begins with ``SUBJECT:``.
    """

    words: pd.DataFrame = field(repr=False)
    stories: tuple[Story, ...] = field(repr=False)
    tr: float
    delays: tuple[int, ...]
    options: SeriesOptions
    confounds: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def heard_again(self) -> str:
        """The first story of which two runs share some time, but not their samples; empty for none."""
        in_order = sorted(self.stories, key=lambda one: (one.name, one.times[0]))
        again = (a.name for a, b in pairwise(in_order) if a.name == b.name and b.times[0] <= a.times[-1])
        return next(again, "")

    def at_samples(self, values: npt.ArrayLike) -> Floats:
        """Features of words at the times of samples, without delays, ``(n_rows, n_features)``.

        Parameters
        ----------
        values : array of shape (n_words, n_features)
            In the order of `words`.
        """
        return np.vstack([found[one.kept] for one, found in self._of_stories(values)])

    def regressors(self, values: npt.ArrayLike) -> Floats:
        """The same, delayed and standardized, ``(n_rows, n_delays x n_features)``."""
        rows = [delayed(found, self.delays)[one.kept] for one, found in self._of_stories(values)]
        return standardized(np.vstack(rows))

    def _of_stories(self, values: npt.ArrayLike) -> Any:
        features = np.asarray(values)
        if len(features) != len(self.words):
            raise UserError(f"there are {len(features)} rows of features, but {len(self.words)} words")
        onset, offset = (self.words[side].to_numpy(np.float64) for side in ("onset", "offset"))
        for one in self.stories:
            rows = one.words
            yield (
                one,
                at_samples(
                    features[rows], onset[rows], offset[rows], one.times, self.tr, self.options.downsample
                ),
            )

    def describe(self) -> dict[str, Any]:
        """For the methods of a record."""
        options = self.options
        said: dict[str, Any] = {
            "downsample": options.downsample,
            "delays_s": [delay * self.tr for delay in self.delays],
            "trim_s": list(options.trim_s),
            "detrend": options.detrend,
            "train": TRAINED[options.train],
            "gap_s": options.gap_s,
            "tr": self.tr,
        }
        return said | ({"confounds": "regressed out of the responses"} if options.confounds else {})
