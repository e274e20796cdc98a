"""Recordings made from a seed, whose ceiling, best model and maps are known."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from PIL import Image
from scipy.ndimage import gaussian_filter

from ..errors import UserError
from ..files import home, whole_folder
from .dataset import Dataset
from .stimuli.drawn_images import CATEGORIES, Nuisance, luminance, picture
from .stimuli.sentences import GRAMMARS, Sentence, sentence
from .stimulus_set import StimulusSet

Floats = npt.NDArray[np.float64]

VERSION = 1
SHARED_NOISE = 0.3
SHEET = (16, 16)
SPACING_MM = 0.5
SMOOTHNESS = 1.5
"""Standard deviation, in units of the sheet's spacing, of the kernel that makes the maps smooth."""


def simulated_cortex(
    *,
    seed: int = 0,
    stimulus_seed: int = 0,
    n_stimuli: int = 500,
    n_repetitions: int = 6,
    reliability: float = 0.7,
) -> Dataset:
    """Pictures of five categories and the noisy responses of a V1-like and an IT-like sheet.

    A unit's response to a presentation is w'z + noise, where z are the few properties of the picture that
    its region codes (the dataset's ``truth["features"]``) and w the unit's place on smooth maps:

    - V1: z is the logarithm of oriented energy at 4 orientations x 2 spatial frequencies; w follows a map
      of preferred orientation and one of preferred frequency.
    - IT: z is the category (5) and the figure's position and size (3); w are smooth random maps.

    The noise has the variance that gives every unit the same `reliability` of its mean response; a share
    ``SHARED_NOISE`` of it is common to the units of a region, as noise correlations are in cortex. So the
    best reachable r is sqrt(reliability) and a model with z as its features reaches it. A map that is white
    noise under a Gaussian kernel of sd s has the autocorrelation exp(-d^2 / (4 s^2)), which fixes its
    expected Moran's I (``truth["morans_i"]``, queen neighbours).

    Parameters
    ----------
    seed : int
        Of the maps and the noise.
    stimulus_seed : int
        Of the pictures.
    n_stimuli, n_repetitions : int
        Pictures (a multiple of 5) and presentations of each.
    reliability : float
        True reliability of the mean response, between 0 and 1.

    Raises
    ------
    UserError
        For a number of stimuli that is no multiple of 5, or a reliability outside (0, 1].
    """
    _check(n_stimuli, len(CATEGORIES), n_repetitions, reliability)
    stimuli, energy = _pictures(stimulus_seed, n_stimuli)
    kind = pd.get_dummies(stimuli["category"])[list(CATEGORIES)].to_numpy(float)
    features = {
        "V1": _standardized(energy),
        "IT": np.hstack([2 * kind, 0.5 * _standardized(stimuli[["x", "y", "size"]].to_numpy(float))]),
    }
    generator = np.random.default_rng([seed, 1])
    weights = {"V1": _orientation_maps(generator), "IT": _smooth_maps(generator, features["IT"].shape[1])}
    return _record("simulated-cortex", stimuli, features, weights, generator, n_repetitions, reliability)


def simulated_language(
    *, seed: int = 0, n_stimuli: int = 400, n_repetitions: int = 6, reliability: float = 0.7
) -> Dataset:
    """Sentences of two grammars and the noisy responses of a language-like sheet.

    The same construction as :func:`simulated_cortex`; z are grammar, number of words, animals among the
    nouns, adjectives, and whether a place is named.
    """
    _check(n_stimuli, len(GRAMMARS), n_repetitions, reliability)
    generator = np.random.default_rng([seed, 2])
    made: dict[str, Sentence] = {}
    while len(made) < n_stimuli:
        one = sentence(GRAMMARS[len(made) % len(GRAMMARS)], generator)
        made.setdefault(one.text, one)
    sentences = list(made.values())
    properties = np.array([one.properties for one in sentences])
    stimuli = StimulusSet(
        {
            "stimulus_id": [f"sentence{i:04d}" for i in range(n_stimuli)],
            "sentence": [one.text for one in sentences],
            "category": [one.grammar for one in sentences],
            "n_words": [one.n_words for one in sentences],
        }
    )
    features = {"language": _standardized(properties)}
    weights = {"language": _smooth_maps(generator, properties.shape[1])}
    name = "simulated-cortex-language"
    return _record(name, stimuli, features, weights, generator, n_repetitions, reliability)


def _check(n_stimuli: int, n_kinds: int, n_repetitions: int, reliability: float) -> None:
    if n_stimuli < 1 or n_stimuli % n_kinds:
        raise UserError(f"n_stimuli must be a multiple of {n_kinds}, not {n_stimuli}")
    if n_repetitions < 1:
        raise UserError(f"n_repetitions must be at least 1, not {n_repetitions}")
    if not 0 < reliability <= 1:
        raise UserError(f"reliability must be above 0 and at most 1, not {reliability}")


def _standardized(values: Floats) -> Floats:
    z: Floats = (values - values.mean(axis=0)) / values.std(axis=0)
    return z


@lru_cache(maxsize=4)
def _pictures(seed: int, n_stimuli: int) -> tuple[StimulusSet, Floats]:
    generator = np.random.default_rng([seed, 0])
    rows, images = [], []
    for i in range(n_stimuli):
        category, nuisance = CATEGORIES[i % len(CATEGORIES)], Nuisance.draw(generator)
        images.append(picture(category, nuisance, generator))
        name = f"picture{i:04d}"
        shown = {"x": nuisance.x, "y": nuisance.y, "size": nuisance.size, "tilt": nuisance.tilt}
        rows.append({"stimulus_id": name, "filename": f"{name}.png", "category": category, **shown})
    folder = home() / "data" / f"simulated-cortex-v{VERSION}" / f"seed{seed}-n{n_stimuli}"
    _save(folder, {str(row["filename"]): image for row, image in zip(rows, images, strict=True)})
    stimuli = StimulusSet(rows)
    stimuli.stimulus_paths = {str(row["stimulus_id"]): folder / str(row["filename"]) for row in rows}
    return stimuli, oriented_energy(np.array([luminance(image) for image in images]))


def _save(folder: Path, images: Mapping[str, Image.Image]) -> None:
    if folder.is_dir() and all(_same(folder / name, image) for name, image in images.items()):
        return
    with whole_folder(folder) as temporary:
        for name, image in images.items():
            image.save(temporary / name)


def _same(path: Path, image: Image.Image) -> bool:
    if not path.exists():
        return False
    try:
        with Image.open(path, formats=("PNG",)) as stored:
            return stored.tobytes() == image.tobytes()
    except OSError:  # a damaged picture is made anew
        return False


def oriented_energy(images: Floats) -> Floats:
    """Log energy of quadrature Gabor filters, summed over a picture.

    Parameters
    ----------
    images : array of shape (n, height, width)
        Luminance.

    Returns
    -------
    array of shape (n, 8)
        4 orientations (0, 45, 90, 135 degrees) at 2 spatial frequencies (1/16 and 1/8 cycles a pixel).
    """
    height, width = images.shape[1:]
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    power = np.abs(np.fft.fft2(images - images.mean(axis=(1, 2), keepdims=True))) ** 2
    channels = []
    for frequency in (1 / 16, 1 / 8):
        for orientation in np.arange(4) * np.pi / 4:
            center = frequency * np.cos(orientation), frequency * np.sin(orientation)
            envelope = np.exp(-((fx - center[0]) ** 2 + (fy - center[1]) ** 2) / (2 * (frequency / 3) ** 2))
            channels.append(np.log1p((power * envelope**2).sum(axis=(1, 2))))
    return np.stack(channels, axis=1)


def _smooth_maps(generator: np.random.Generator, n_maps: int) -> Floats:
    noise = generator.normal(size=(n_maps, *SHEET))
    smooth = np.stack([gaussian_filter(one, SMOOTHNESS, mode="wrap") for one in noise])
    smooth /= smooth.std(axis=(1, 2), keepdims=True)
    flat: Floats = smooth.reshape(n_maps, -1)
    return flat


def _orientation_maps(generator: np.random.Generator) -> Floats:
    cosine, sine, frequency = _smooth_maps(generator, 3)
    preferred = np.arctan2(sine, cosine) / 2
    orientation = np.exp(2 * (np.cos(2 * (preferred - np.arange(4)[:, None] * np.pi / 4)) - 1))
    coarse = 1 / (1 + np.exp(-2 * frequency))
    return np.concatenate([orientation * coarse, orientation * (1 - coarse)])


def expected_morans_i() -> float:
    """Moran's I (queen neighbours, binary) that the maps have on average, in closed form.

    Of the 8 neighbours 4 lie at distance 1 and 4 at sqrt(2); at the sheet's edge there are fewer, counted
    exactly: I = sum over neighbour pairs of exp(-d^2 / (4 s^2)) / number of pairs, less the small share
    that subtracting the map's own mean takes away.
    """
    rows, columns = SHEET
    straight = rows * (columns - 1) + columns * (rows - 1)
    diagonal = 2 * (rows - 1) * (columns - 1)
    near, far = np.exp(-1 / (4 * SMOOTHNESS**2)), np.exp(-2 / (4 * SMOOTHNESS**2))
    mean = (straight * near + diagonal * far) / (straight + diagonal)
    of_the_mean = 4 * np.pi * SMOOTHNESS**2 / (rows * columns)
    return float((mean - of_the_mean) / (1 - of_the_mean))


def _record(
    identifier: str,
    stimuli: StimulusSet,
    features: Mapping[str, Floats],
    weights: Mapping[str, Floats],
    generator: np.random.Generator,
    n_repetitions: int,
    reliability: float,
) -> Dataset:
    n_stimuli, regions, signals = len(stimuli), [], {}
    for region, z in features.items():
        signal = z @ weights[region]
        signals[region] = signal
        noise_sd = signal.std(axis=0) * np.sqrt((1 / reliability - 1) * n_repetitions)
        shape = (n_stimuli, n_repetitions)
        common, own = generator.normal(size=(*shape, 1)), generator.normal(size=(*shape, signal.shape[1]))
        noise = noise_sd * (np.sqrt(SHARED_NOISE) * common + np.sqrt(1 - SHARED_NOISE) * own)
        regions.append((signal[:, None] + noise).reshape(-1, signal.shape[1]))
    n_units = SHEET[0] * SHEET[1]
    row, column = np.divmod(np.arange(n_units), SHEET[1])
    n_regions = len(features)
    names = np.repeat(list(features), n_units)
    responses = xr.DataArray(
        np.concatenate(regions, axis=1).astype(np.float32),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", np.repeat(stimuli["stimulus_id"].to_numpy(), n_repetitions)),
            "repetition": ("presentation", np.tile(np.arange(n_repetitions), n_stimuli)),
            "neuroid_id": ("neuroid", [f"{name}.{i:03d}" for name in features for i in range(n_units)]),
            "region": ("neuroid", names),
            "x": ("neuroid", np.tile(column * SPACING_MM, n_regions)),
            "y": ("neuroid", np.tile(row * SPACING_MM, n_regions)),
            "z": ("neuroid", np.zeros(n_regions * n_units)),
            "row": ("neuroid", np.tile(row, n_regions)),
            "column": ("neuroid", np.tile(column, n_regions)),
        },
    )
    stimuli.identifier = identifier
    return Dataset(
        identifier=identifier,
        modality="language" if "sentence" in stimuli.columns else "vision",
        stimuli=stimuli,
        responses=responses,
        simulated=True,
        license="MIT (made by brodmann)",
        source=f"brodmann.brain_data.datasets.simulated, version {VERSION}",
        units="a.u. (simulated)",
        blocks="none",  # every stimulus is drawn by itself
        truth={
            "features": dict(features),
            "signal": signals,
            "maps": dict(weights),
            "reliability": reliability,
            "r_max": float(np.sqrt(reliability)),
            "morans_i": expected_morans_i(),
        },
    )
