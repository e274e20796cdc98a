"""Procedural pictures of five categories, each with its own position, size, tilt, colours and background."""

import colorsys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

SIZE = 64
_OVERSAMPLED = 4 * SIZE
Color = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class Nuisance:
    """What varies within a category.

    Attributes
    ----------
    x, y : float
        Position of the centre, as a fraction of the picture's half width; 0 is the middle.
    size : float
        Half height of the figure, as a fraction of the picture's half width.
    tilt : float
        Rotation in radians.
    contrast : float
        Of the figure against its background, 0 to 1.
    """

    x: float
    y: float
    size: float
    tilt: float
    contrast: float

    @classmethod
    def draw(cls, generator: np.random.Generator) -> "Nuisance":
        """Draw one at random."""
        x, y = generator.uniform(-0.25, 0.25, 2)
        size, tilt, contrast = generator.uniform((0.45, -0.4, 0.5), (0.85, 0.4, 1.0))
        return cls(float(x), float(y), float(size), float(tilt), float(contrast))


class _Canvas:
    """Draws in the figure's own coordinates (-1 to 1), placed by the nuisance."""

    def __init__(self, image: Image.Image, nuisance: Nuisance, hue: float) -> None:
        self._draw = ImageDraw.Draw(image)
        self._nuisance = nuisance
        self._hue = hue

    def ink(self, lightness: float) -> Color:
        level = 0.5 + (lightness - 0.5) * self._nuisance.contrast
        red, green, blue = colorsys.hls_to_rgb(self._hue, level, 0.4)
        return round(255 * red), round(255 * green), round(255 * blue)

    def place(self, point: Point) -> Point:
        across, down = point[0] * self._nuisance.size, point[1] * self._nuisance.size
        cos, sin = np.cos(self._nuisance.tilt), np.sin(self._nuisance.tilt)
        x = across * cos - down * sin + self._nuisance.x
        y = across * sin + down * cos + self._nuisance.y
        return (x + 1) * _OVERSAMPLED / 2, (y + 1) * _OVERSAMPLED / 2

    def polygon(self, points: list[Point], lightness: float) -> None:
        self._draw.polygon([self.place(point) for point in points], fill=self.ink(lightness))

    def ellipse(self, center: Point, radii: Point, lightness: float) -> None:
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        outline = zip(center[0] + radii[0] * np.cos(angle), center[1] + radii[1] * np.sin(angle), strict=True)
        self.polygon([(float(x), float(y)) for x, y in outline], lightness)

    def line(self, points: list[Point], width: float, lightness: float) -> None:
        thick = max(2, round(width * self._nuisance.size * _OVERSAMPLED / 2))
        self._draw.line(
            [self.place(point) for point in points], fill=self.ink(lightness), width=thick, joint="curve"
        )


def _face(canvas: _Canvas, generator: np.random.Generator) -> None:
    width, eyes, mouth = generator.uniform((0.6, 0.25, 0.2), (0.85, 0.4, 0.45))
    canvas.ellipse((0, 0), (width, 1), 0.8)
    for side in (-1, 1):
        canvas.ellipse((side * eyes, -0.25), (0.14, 0.1), 0.1)
        canvas.line([(side * (eyes - 0.15), -0.48), (side * (eyes + 0.15), -0.5)], 0.06, 0.2)
    canvas.polygon([(0, -0.2), (-0.12, 0.2), (0.12, 0.2)], 0.55)
    canvas.line([(-mouth, 0.5), (0, 0.5 + generator.uniform(-0.1, 0.15)), (mouth, 0.5)], 0.1, 0.15)


def _body(canvas: _Canvas, generator: np.random.Generator) -> None:
    arms, legs = generator.uniform(-0.5, 0.6, 2), generator.uniform(0.1, 0.5, 2)
    canvas.ellipse((0, -0.8), (0.17, 0.2), 0.75)
    canvas.polygon([(-0.28, -0.55), (0.28, -0.55), (0.2, 0.15), (-0.2, 0.15)], 0.7)
    for side, arm, leg in zip((-1, 1), arms, legs, strict=True):
        canvas.line([(side * 0.25, -0.5), (side * 0.5, -0.2), (side * 0.75, -0.2 + arm)], 0.15, 0.65)
        canvas.line([(side * 0.12, 0.1), (side * leg, 0.55), (side * leg, 1.0)], 0.18, 0.55)


def _place(canvas: _Canvas, generator: np.random.Generator) -> None:
    depth = generator.uniform(0.25, 0.5)
    inner = [(-depth, -depth), (depth, -depth), (depth, depth), (-depth, depth)]
    outer: list[Point] = [(-1.4, -1.4), (1.4, -1.4), (1.4, 1.4), (-1.4, 1.4)]
    for wall, lightness in enumerate((0.85, 0.6, 0.35, 0.7)):
        after = (wall + 1) % 4
        canvas.polygon([outer[wall], outer[after], inner[after], inner[wall]], lightness)
    canvas.polygon(inner, 0.5)
    door = generator.uniform(0.08, 0.18)
    canvas.polygon([(-door, depth), (-door, -depth / 3), (door, -depth / 3), (door, depth)], 0.2)


def _object(canvas: _Canvas, generator: np.random.Generator) -> None:
    corners = int(generator.integers(5, 9))
    angle = np.sort(generator.uniform(0, 2 * np.pi, corners))
    radius = generator.uniform(0.5, 1.0, corners)
    canvas.polygon(
        [(float(r * np.cos(a)), float(r * np.sin(a))) for a, r in zip(angle, radius, strict=True)], 0.7
    )
    canvas.ellipse((0, 0), (0.2, 0.2), 0.3)


def _word(canvas: _Canvas, generator: np.random.Generator) -> None:
    for left in (-1.0, -0.45, 0.1, 0.65):
        corners = [(left, -0.35), (left + 0.35, -0.35), (left + 0.35, 0.35), (left, 0.35), (left + 0.17, 0.0)]
        path = [corners[i] for i in generator.permutation(5)[:4]]
        canvas.line(path, 0.1, 0.08)


_FIGURES: dict[str, Callable[[_Canvas, np.random.Generator], None]] = {
    "face": _face,
    "body": _body,
    "place": _place,
    "object": _object,
    "word": _word,
}
CATEGORIES = tuple(_FIGURES)


def picture(category: str, nuisance: Nuisance, generator: np.random.Generator) -> Image.Image:
    """One picture, 64 x 64 RGB: a figure of a category before a background of coarse noise.

    Parameters
    ----------
    category : str
        One of ``CATEGORIES``.
    nuisance : Nuisance
        Where, how large, how tilted, how strong.
    generator : numpy.random.Generator
        For the figure's own shape, its hue and the background.
    """
    coarse = generator.uniform(0.35, 0.65, (8, 8, 3))
    background = Image.fromarray((255 * coarse).astype(np.uint8)).resize(
        (_OVERSAMPLED, _OVERSAMPLED), Image.Resampling.BICUBIC
    )
    canvas = _Canvas(background, nuisance, float(generator.uniform()))
    _FIGURES[category](canvas, generator)
    return background.resize((SIZE, SIZE), Image.Resampling.BOX)


def luminance(image: Image.Image) -> npt.NDArray[np.float64]:
    """A picture's luminance, 0 to 1, (height, width)."""
    return np.asarray(image.convert("L"), np.float64) / 255
