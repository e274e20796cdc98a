"""Motion energy of a film: quadrature pairs of Gabors in space and time, as pymoten makes them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...errors import UserError, missing_extra
from ...files import digest_of
from ...fingerprint import fingerprint, package_version
from ...progress import track
from ..catalogue import ModelCard, loads
from ..model import Context, Model

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from ...brain_data.stimulus_set import StimulusSet

_NISHIMOTO2011 = """\
@article{nishimoto2011,
  author = {Nishimoto, S. and Vu, A. T. and Naselaris, T. and Benjamini, Y. and Yu, B. and Gallant, J. L.},
  title = {Reconstructing Visual Experiences from Brain Activity Evoked by Natural Movies},
  journal = {Current Biology},
  volume = {21},
  pages = {1641--1646},
  year = {2011},
  doi = {10.1016/j.cub.2011.08.031}
}"""
LAYER = "motion-energy"
SIDE, SPATIAL, TEMPORAL = 96, (0, 2, 4, 8, 16, 32), (0, 2, 4)
"""Pixels of a side, cycles a picture, cycles a second."""
_FEWEST_FPS = 2 * max(TEMPORAL)
_BLOCK = 1024
"""Frames that are filtered at once."""


class MotionEnergy(Model):
    """log(1e-5 + energy) of each Gabor for each frame, from the luminance of the film around it.

    A film is the frames of one ``story`` in the order of their ``onset``.
    """

    identifier = "motion-energy"
    modality = "vision"

    def __init__(self) -> None:
        self.digest = fingerprint(type(self), SIDE, SPATIAL, TEMPORAL).digest
        self.numerics = {"pymoten": package_version("moten")}

    @property
    def layers(self) -> list[str]:
        """The only one."""
        return [LAYER]

    @property
    def methods(self) -> dict[str, Any]:
        """What is made of a film."""
        return {
            "preprocessing": f"luminance of {SIDE} x {SIDE} pixels; Gabors of {', '.join(map(str, SPATIAL))} cycles a "
            f"picture and {', '.join(map(str, TEMPORAL))} Hz in 8 directions, log of the energy"
        }

    def sizes(self, stimuli: "StimulusSet", layers: Sequence[str] | None = None) -> dict[str, int]:
        """As many units as there are Gabors."""
        del stimuli
        return {name: int(_pyramid(_FEWEST_FPS).nfilters) for name in self._asked(layers)}

    def extract(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, context: Context = "none"
    ) -> "dict[str, xr.DataArray]":
        """The energies at every frame, kept on disk; see :meth:`Model.extract`.

        Raises
        ------
        UserError
            Without pymoten, for pictures that are no frames of a film, and for films of less than 8 frames a second.
        """
        from ...brain_data.dataset import stimuli_digest
        from ..extraction import activation_cache
        from ..extraction.labels import labeled

        del context
        names = self._asked(layers)
        films = list(_films(stimuli))
        key = digest_of(self.digest, self.numerics, stimuli_digest(stimuli))
        known = activation_cache.find(key)
        if known is None:
            shape = (len(stimuli), int(_pyramid(_FEWEST_FPS).nfilters))
            notes = {"layer": LAYER, "unit_shape": [shape[1]], "left_out": {}}
            with activation_cache.writing({key: shape}, {key: notes}, plan=digest_of(_BLOCK)) as arrays:
                arrays[key].begin_here()
                for rows, fps in films:
                    for some, values in _energies(stimuli, rows, fps):
                        arrays[key].write(some, values)
            known = activation_cache.find(key)
            assert known is not None
        found = labeled(known[0], known[1], stimuli)
        return dict.fromkeys(names, found)


def _films(stimuli: "StimulusSet") -> Iterator[tuple[npt.NDArray[np.intp], int]]:
    """The rows of each film in the order of time, and its frames a second."""
    if "onset" not in stimuli:
        raise UserError(
            "motion-energy is of the frames of films: the stimuli need a column onset (s) and, of several, story"
        )
    onset = stimuli["onset"].to_numpy(np.float64)
    story = np.array(stimuli["story"].astype(str) if "story" in stimuli else [""] * len(stimuli))
    for name in dict.fromkeys(story.tolist()):
        rows = np.flatnonzero(story == name)
        rows = rows[np.argsort(onset[rows], kind="stable")]
        steps = np.diff(onset[rows])
        step = float(np.median(steps)) if len(steps) else 1 / _FEWEST_FPS
        what = f"the frames of {name!r}" if name else "the frames"
        if not step > 0 or np.abs(steps - step).max(initial=0) > step / 2:
            raise UserError(f"{what} do not come at equal steps of time, which motion energy needs")
        if round(1 / step) < _FEWEST_FPS:
            raise UserError(
                f"{what} come {1 / step:.3g} times a second: filters of {max(TEMPORAL)} Hz need at least {_FEWEST_FPS}"
            )
        yield rows, round(1 / step)


def _energies(
    stimuli: "StimulusSet", rows: npt.NDArray[np.intp], fps: int
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]]:
    """Rows of a film and their energies, a block at a time with what its filters see around it."""
    pyramid = _pyramid(fps)
    around = int(pyramid.definition["filter_temporal_width"])
    paths = [(stimuli.stimulus_paths or {}).get(one) for one in stimuli["stimulus_id"]]
    for start in track(range(0, len(rows), _BLOCK), "running motion-energy"):
        first, behind = max(0, start - around), min(len(rows), start + _BLOCK + around)
        shown = np.stack([_luminance(paths[row]) for row in rows[first:behind]])
        found = pyramid.project_stimulus_batched(shown, dtype="float32")
        own = slice(start - first, min(len(rows), start + _BLOCK) - first)
        yield rows[start : start + _BLOCK], np.asarray(found, np.float32)[own]


def _luminance(path: "Path | None") -> npt.NDArray[np.float32]:
    """L* of a picture, from 0 to 100."""
    from moten.colorspace import rgb2lab
    from PIL import Image

    if path is None:
        raise UserError("motion-energy: a frame has no picture")
    with Image.open(path) as picture:
        small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    lightness: npt.NDArray[np.float32] = rgb2lab(np.asarray(small) / 255.0)[..., 0].astype(np.float32)
    return lightness


def _pyramid(fps: int) -> Any:
    try:
        from moten.pyramids import MotionEnergyPyramid
    except ImportError as error:
        raise missing_extra("pymoten", "motion", why="motion-energy") from error
    return MotionEnergyPyramid(
        stimulus_vhsize=(SIDE, SIDE),
        stimulus_fps=fps,
        temporal_frequencies=list(TEMPORAL),
        spatial_frequencies=list(SPATIAL),
    )


@loads(
    ModelCard(
        "motion-energy",
        "motion energy of films: Gabors in space and time (pip install 'brodmann[motion]')",
        "vision",
        "baseline",
        (LAYER,),
        bibtex=_NISHIMOTO2011,
    )
)
def motion_energy(card: ModelCard) -> Model:
    """The filters; they have nothing to load."""
    del card
    return MotionEnergy()
