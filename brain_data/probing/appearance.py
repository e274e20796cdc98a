"""How a picture looks, whatever it shows: colour, luminance, place, size, orientation, spatial frequency."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..stimuli.drawn_images import CATEGORIES, Nuisance
from ..stimuli.gratings import gratings
from ..stimuli.pictures import opened
from .base import Pictures, Property, add_property
from .categories import N_DRAWN, SEED, drawn, labelled
from .material import Material

Floats = npt.NDArray[np.float64]
_SIZE, _N_PHASES = 64, 16
_WARM = 60.0
"""Degrees of hue on both sides of orange (30 degrees)."""


@lru_cache(maxsize=1)
def nuisances() -> list[Nuisance]:
    """Position, size, tilt and contrast of every drawn picture, drawn again from its seed."""
    return [Nuisance.draw(np.random.default_rng([SEED, 77, i])) for i in range(N_DRAWN)]


@lru_cache(maxsize=1)
def colors() -> tuple[Floats, Floats]:
    """Luminance (0 to 1) and hue of drawn pictures (degrees; mean direction over pixels by saturation)."""
    stimuli, light, hue = drawn(), [], []
    for name in stimuli["stimulus_id"]:
        with opened((stimuli.stimulus_paths or {})[name]) as picture:
            light.append(float(np.asarray(picture.convert("L"), np.float64).mean()) / 255)
            angle, saturation, _ = np.moveaxis(np.asarray(picture.convert("HSV"), np.float64), 2, 0)
            turn = (saturation * np.exp(2j * np.pi * angle / 256)).sum()
            hue.append(float(np.degrees(np.angle(turn))))
    return np.array(light), np.array(hue)


def _thirds(values: Floats, high: str, low: str) -> Pictures:
    """The upper third against the lower one, within every category, so that what is shown says nothing."""
    stimuli = drawn()
    kinds = np.arange(len(values)) % len(CATEGORIES)
    top, bottom = np.zeros(len(values), bool), np.zeros(len(values), bool)
    for kind in range(len(CATEGORIES)):
        here = np.flatnonzero(kinds == kind)
        one, two = np.quantile(values[here], [1 / 3, 2 / 3])
        bottom[here], top[here] = values[here] <= one, values[here] > two
    return labelled(stimuli, top, np.where(top, high, low), top | bottom)


def _is_bright(material: Material) -> Pictures:
    del material
    return _thirds(colors()[0], "bright", "dark")


def _hue_warm(material: Material) -> Pictures:
    del material
    away = np.abs((colors()[1] - 30 + 180) % 360 - 180)
    warm, cool = away <= _WARM, away >= 180 - _WARM
    return labelled(drawn(), warm, np.where(warm, "warm", "cool"), warm | cool)


def _is_large(material: Material) -> Pictures:
    del material
    return _thirds(np.array([one.size for one in nuisances()]), "large", "small")


def _object_left(material: Material) -> Pictures:
    del material
    x = np.array([one.x for one in nuisances()])
    return labelled(drawn(), x < 0, np.where(x < 0, "left", "right"), np.abs(x) > 0.05)


def _orientation(degrees: int) -> Callable[[Material], Pictures]:
    def make(material: Material) -> Pictures:
        del material
        stimuli = gratings(_SIZE, n_phases=_N_PHASES)
        at = stimuli["orientation"].to_numpy(np.float64)
        beside = [
            f"{f:g} {p:.2f} {c}"
            for f, p, c in zip(*(stimuli[n] for n in ("frequency", "phase", "colour")), strict=True)
        ]
        return Pictures(stimuli, at == degrees, beside, [f"{one:g} degrees" for one in at])

    return make


def _frequency_high(material: Material) -> Pictures:
    del material
    stimuli = gratings(_SIZE, n_phases=_N_PHASES)
    at = stimuli["frequency"].to_numpy(np.float64)
    beside = [
        f"{o:g} {p:.2f} {c}"
        for o, p, c in zip(*(stimuli[n] for n in ("orientation", "phase", "colour")), strict=True)
    ]
    return Pictures(stimuli, at > np.median(np.unique(at)), beside, [f"{one:g} cycles" for one in at])


_OWN = ("pictures that brodmann draws", "brodmann's own")
_RULES: dict[str, tuple[Callable[[Material], Pictures], str, str, tuple[str, ...]]] = {
    "is_bright": (
        _is_bright,
        "of each category the third of the highest mean luminance, against the lowest",
        "size of the figure",
        ("luminance",),
    ),
    "hue_warm": (
        _hue_warm,
        "mean hue within 60 degrees of orange, against within 60 of blue",
        "luminance of hues",
        (),
    ),
    "is_large": (
        _is_large,
        "of each category the third of largest figures, against the smallest",
        "luminance, edges",
        (),
    ),
    "object_left_of_centre": (
        _object_left,
        "a figure left of the middle, against right of it; those within .05 of it left out",
        "none known; mean pooling over places loses it",
        (),
    ),
    "spatial_frequency_high": (
        _frequency_high,
        "a grating of a high frequency, against low ones; other orientations and phases test",
        "aliasing at high frequencies",
        (),
    ),
}
for _name, (_make, _sentence, _confound, _itself) in _RULES.items():
    add_property(
        Property(_name, _sentence, "picture", *_OWN, _confound, make=_make, itself=_itself), __name__
    )
for _degrees in (0, 45, 90, 135):
    add_property(
        Property(
            f"orientation_{_degrees}",
            f"a grating of {_degrees} degrees, against seven other orientations; other "
            "frequencies and phases test",
            "picture",
            *_OWN,
            "aliasing at high frequencies",
            make=_orientation(_degrees),
        ),
        __name__,
    )
