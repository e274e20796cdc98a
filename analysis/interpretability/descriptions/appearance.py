"""What is known of pictures without a person: their columns, and how light, of which hue and how turned they are."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ....brain_data.stimuli.pictures import opened

if TYPE_CHECKING:
    from ....brain_data.stimulus_set import StimulusSet

Labels = npt.NDArray[np.str_]
_SIDE = 64
_MOST_LABELS = 30
_LEAST_SATURATION, _LEAST_TURNED = 0.08, 0.15
_ALIVE = frozenset({"face", "body", "animal", "human", "faces", "bodies", "animals"})
_NOT_ALIVE = frozenset(
    {
        "object",
        "place",
        "word",
        "house",
        "objects",
        "places",
        "words",
        "houses",
        "characters",
        "scene",
        "tool",
    }
)
_HUES, _TURNS = (
    ("red", "yellow", "green", "cyan", "blue", "magenta"),
    ("upright", "rising", "level", "falling"),
)


def picture_labels(stimuli: "StimulusSet") -> dict[str, Labels]:
    """Labels of pictures by what they are labels of, empty where a picture has none.

    Every column of the set that names at most 30 kinds; whether the category is alive; luminance in thirds; hue, the
    mean direction over pixels by saturation, in sixths of the circle; orientation of the edges (structure tensor).

    Parameters
    ----------
    stimuli : StimulusSet
    """
    found: dict[str, Labels] = {}
    for name in stimuli.columns:
        values = stimuli[name].astype(str).to_numpy(dtype=np.str_)
        if name != "stimulus_id" and 2 <= len(np.unique(values)) <= min(_MOST_LABELS, len(values) - 1):
            found[str(name)] = values
    if "category" in found:
        kinds = [one.lower() for one in found["category"]]
        alive = ["animate" if one in _ALIVE else "inanimate" if one in _NOT_ALIVE else "" for one in kinds]
        if len(set(alive) - {""}) == 2:
            found["animacy"] = np.array(alive, np.str_)
    paths = stimuli.stimulus_paths or {}
    seen = [_measured(paths[name]) for name in stimuli["stimulus_id"] if name in paths]
    if len(seen) == len(stimuli) and seen:
        light, hue, turn = (np.array([one[i] for one in seen]) for i in range(3))
        limits = np.quantile(light, [1 / 3, 2 / 3])
        found["luminance"] = np.array(["dark", "medium", "light"])[np.searchsorted(limits, light)]
        found["hue"] = _named(hue, 360 / len(_HUES), _HUES, 360)
        found["orientation"] = _named(turn, 180 / len(_TURNS), _TURNS, 180)
    return {name: one for name, one in found.items() if len(set(one.tolist()) - {""}) > 1}


def _named(degrees: npt.NDArray[np.float64], step: float, names: tuple[str, ...], whole: float) -> Labels:
    known = np.isfinite(degrees)
    place = np.round(np.where(known, degrees, 0) % whole / step).astype(np.intp) % len(names)
    return np.where(known, np.array(names, np.str_)[place], "")


def _measured(path: object) -> tuple[float, float, float]:
    """Luminance (0 to 1), hue and orientation of edges in degrees; NaN where there is no color, or no orientation."""
    with opened(path) as picture:  # type: ignore[arg-type]
        small = picture.convert("RGB").resize((_SIDE, _SIDE))
        grey = np.asarray(small.convert("L"), np.float64) / 255
        angle, saturation, _ = np.moveaxis(np.asarray(small.convert("HSV"), np.float64), 2, 0)
    turn = (saturation / 255 * np.exp(2j * np.pi * angle / 256)).mean()
    down, across = np.gradient(grey)
    edges = ((across + 1j * down) ** 2).sum()  # twice the angle of the gradient
    strength = abs(edges) / max(float((across**2 + down**2).sum()), 1e-12)
    hue = float(np.degrees(np.angle(turn))) % 360 if abs(turn) >= _LEAST_SATURATION else float("nan")
    tilt = float(np.degrees(np.angle(edges)) / 2) % 180 if strength >= _LEAST_TURNED else float("nan")
    return float(grey.mean()), hue, tilt
