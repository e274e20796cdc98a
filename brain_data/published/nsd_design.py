"""The design of the Natural Scenes Dataset: which picture was shown in which trial, and the pictures."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...bounded import require_for_matlab
from ...errors import UserError, first_line
from ..published_recording import chosen
from ..reading.arrays.hdf5_nodes import stored_array
from .arrays import MadeFiles, hdf5
from .nsd_betas import N_TRIALS

_PICTURES = 73_000


@dataclass(frozen=True)
class Design:
    """Which picture was shown in which trial, all indices from 0."""

    order: npt.NDArray[np.int64]
    pictures: npt.NDArray[np.int64]
    shared: frozenset[int]

    @classmethod
    def of(cls, root: Path, subject: str) -> "Design":
        """The design of ``nsd_expdesign.mat``.

        Raises
        ------
        UserError
            Where it is missing, damaged, or its indices are not those of NSD.
        """
        from scipy.io import loadmat

        path = root / "nsddata" / "experiments" / "nsd" / "nsd_expdesign.mat"
        if not path.is_file():
            raise UserError(f"{path} is missing: it says which picture was shown in which trial")
        require_for_matlab(path)
        names = ("masterordering", "subjectim", "sharedix")
        try:
            held = loadmat(path, variable_names=names)
        except Exception as error:  # scipy raises whatever its parser does
            raise UserError(f"{path} cannot be read ({first_line(error)}): fetch it again") from error
        absent = [name for name in names if name not in held or held[name].dtype.kind not in "iuf"]
        if absent:
            raise UserError(f"{path} holds no numbers called {absent[0]!r}")
        order, pictures, shared = (np.asarray(held[name]).astype(np.int64) for name in names)
        number = int(re.sub(r"\D", "", subject) or 0)
        if pictures.ndim != 2 or not 1 <= number <= len(pictures):
            raise UserError(f"{path}: subjectim has shape {pictures.shape}: no row for {subject}")
        bounds = ((order, pictures.shape[1]), (pictures, _PICTURES), (shared, _PICTURES))
        for name, (values, most) in zip(names, bounds, strict=True):
            if values.size == 0 or values.min() < 1 or values.max() > most:
                raise UserError(
                    f"{path}: {name} goes from {values.min()} to {values.max()}: its indices must be from 1 to {most}"
                )
        return cls(order.ravel() - 1, pictures[number - 1] - 1, frozenset((shared.ravel() - 1).tolist()))

    def trials(self, sessions: list[int]) -> pd.DataFrame:
        """One row a trial of these sessions, which are counted from 1."""
        rows = np.concatenate([np.arange((one - 1) * N_TRIALS, one * N_TRIALS) for one in sessions])
        if rows[-1] >= len(self.order):
            raise UserError(
                f"session {sessions[-1]} goes beyond the design's {len(self.order)} trials of {N_TRIALS} a session"
            )
        shown = self.pictures[self.order[rows]]
        return pd.DataFrame(
            {
                "stimulus_id": [f"nsd{one:05d}" for one in shown],
                "session": np.repeat([f"session{one:02d}" for one in sessions], N_TRIALS).astype(object),
                "trial": rows % N_TRIALS,
            }
        )

    def wanted(self, trials: pd.DataFrame, events: str | None) -> npt.NDArray[np.int64] | None:
        """The rows that were asked for; None for all."""
        if events in (None, "all"):
            return None
        chosen("kind of trials", [str(events)], ["all", "shared1000"], "events")
        keep = np.flatnonzero([int(one[3:]) in self.shared for one in trials["stimulus_id"]])
        if not len(keep):
            raise UserError(
                "no trial of these sessions shows one of the shared 1000 pictures: take further sessions"
            )
        return keep

    def stimuli(self, shown: npt.NDArray[Any]) -> pd.DataFrame:
        """One row a picture, with ``shared1000``."""
        names = sorted(map(str, shown))
        shared = ["yes" if int(one[3:]) in self.shared else "no" for one in names]
        return pd.DataFrame({"stimulus_id": names, "shared1000": shared})


def pictures_of(root: Path, names: "pd.Series[Any]") -> Mapping[str, Path]:
    """The pictures that were shown, each cut out of ``nsd_stimuli.hdf5`` when it is asked for."""
    path = root / "nsddata_stimuli" / "stimuli" / "nsd" / "nsd_stimuli.hdf5"
    if not path.is_file():
        return {}
    last = max(int(one[3:]) for one in names)
    with hdf5(path) as file:
        if "imgBrick" not in file:
            raise UserError(f"{path} holds {', '.join(file) or 'nothing'}, not 'imgBrick'")
        stored = stored_array(file, "imgBrick", (4,))
        if stored.dtype != np.uint8 or stored.shape[-1] != 3 or stored.shape[0] <= last:
            raise UserError(
                f"{path}: imgBrick has shape {stored.shape} ({stored.dtype}): it must be 8-bit colors and reach {last}"
            )

    def make(name: str, target: Path) -> None:
        from PIL import Image

        with hdf5(path) as file:
            Image.fromarray(stored_array(file, "imgBrick", (4,))[int(name[3:])]).save(target, format="PNG")

    return MadeFiles({name: f"{name}.png" for name in names}, make)
