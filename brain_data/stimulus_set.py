"""What was shown: a table of stimuli that knows its name and where its pictures lie."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pandas as pd


class StimulusSet(pd.DataFrame):
    """One row a stimulus, with the interface of Brain-Score's class of this name.

    Whatever has its columns and ``stimulus_paths`` is taken in its place, Brain-Score's own objects too.

    Attributes
    ----------
    identifier : str or None
    stimulus_paths : mapping of str to Path, or None
        Stimulus id -> picture. Like `identifier` it stays with every selection of rows or columns.
    """

    _metadata: ClassVar[list[str]] = ["identifier", "stimulus_paths"]
    identifier: str | None = None
    stimulus_paths: Mapping[str, Path] | None = None

    @property
    def _constructor(self) -> type["StimulusSet"]:
        return StimulusSet

    def get_stimulus(self, stimulus_id: str) -> Path:
        """The file of one stimulus."""
        return (self.stimulus_paths or {})[stimulus_id]
