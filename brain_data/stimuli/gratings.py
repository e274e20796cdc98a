"""Gratings of every orientation, spatial frequency, phase and colour: what maps of early visual areas are made with."""

from itertools import product

import numpy as np
import numpy.typing as npt
from PIL import Image

from ...files import digest_of, home, whole_folder
from ..stimulus_set import StimulusSet
from .localizers import add_localizer

SIZE = 224
N_ORIENTATIONS, N_PHASES = 8, 5
FREQUENCIES = tuple(float(one) for one in np.linspace(5.5, 110.0, 9)[:-1])
"""Cycles a picture; at 8 degrees of visual angle a picture, 0.7 to 12.1 cycles a degree (Margalit et al. 2024)."""
COLORS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "black/white": ((0, 0, 0), (255, 255, 255)),
    "red/cyan": ((255, 0, 0), (0, 255, 255)),
}


@add_localizer("gratings", "gratings of eight orientations, eight frequencies and two pairs of colors")
def gratings(size: int = SIZE, n_orientations: int = N_ORIENTATIONS, n_phases: int = N_PHASES) -> StimulusSet:
    """Square pictures of sinusoidal gratings.

    Orientations from 0 (bars along the rows) in equal steps below 180 degrees, spatial frequencies at which a cycle has
    at least 4 pixels, phases in equal steps, and two pairs of colours.

    Parameters
    ----------
    size : int
        Pixels a side. Small pictures hold fewer frequencies; below 22 pixels the lowest two that fit are 1 and 2
        cycles.
    n_orientations, n_phases : int

    Returns
    -------
    StimulusSet
        ``orientation`` (degrees, counterclockwise), ``frequency`` (cycles a picture), ``phase`` (radians), ``color``.
    """
    angles = [180.0 * k / n_orientations for k in range(n_orientations)]
    fitting = [one for one in FREQUENCIES if one <= size / 4]
    frequencies = fitting if len(fitting) > 1 else [size / 16, size / 8, size / 4]
    phases = [2 * np.pi * k / n_phases for k in range(n_phases)]
    rows = list(product(angles, frequencies, phases, COLORS))
    ids = [f"grating{i:04d}" for i in range(len(rows))]
    folder = home() / "data" / "gratings" / digest_of(1, size, n_orientations, n_phases)[:12]
    if not all((folder / f"{name}.png").is_file() for name in ids):
        with whole_folder(folder) as temporary:
            for name, (angle, frequency, phase, color) in zip(ids, rows, strict=True):
                Image.fromarray(grating(size, angle, frequency, phase, color)).save(temporary / f"{name}.png")
    stimuli = StimulusSet(
        {
            "stimulus_id": ids,
            **{
                name: [row[i] for row in rows]
                for i, name in enumerate(("orientation", "frequency", "phase", "colour"))
            },
        }
    )
    stimuli.stimulus_paths = {name: folder / f"{name}.png" for name in ids}
    stimuli.identifier = f"gratings-{folder.name}"
    return stimuli


def grating(
    size: int, orientation: float, frequency: float, phase: float, color: str = "black/white"
) -> npt.NDArray[np.uint8]:
    """One grating as pixels, (size, size, 3).

    Parameters
    ----------
    size : int
    orientation : float
        Of the bars, in degrees counterclockwise from the rows.
    frequency : float
        Cycles a picture.
    phase : float
        Radians.
    color : {"black/white", "red/cyan"}
    """
    angle = np.deg2rad(orientation)
    row, column = np.mgrid[:size, :size] / size - 0.5
    across = row * np.cos(angle) + column * np.sin(angle)
    level = (1 + np.sin(2 * np.pi * frequency * across + phase))[..., None] / 2
    low, high = (np.array(one, np.float64) for one in COLORS[color])
    pixels: npt.NDArray[np.uint8] = np.round(low + level * (high - low)).astype(np.uint8)
    return pixels
