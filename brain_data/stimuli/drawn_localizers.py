"""Drawn pictures whose kinds are told apart: five categories, and the same with their phases scrambled."""

import numpy as np
from PIL import Image

from ...files import digest_of, home, whole_folder
from ..stimulus_set import StimulusSet
from .drawn_images import CATEGORIES, Nuisance, picture
from .localizers import PICTURES, SCRAMBLED, add_localizer


@add_localizer(PICTURES, "drawn pictures of faces, bodies, places, objects and words")
def drawn_categories(n_stimuli: int = 300, seed: int = 1, *, scrambled: bool = False) -> StimulusSet:
    """Pictures of five categories, drawn by a seed, as clear as those of the simulated recordings.

    Parameters
    ----------
    n_stimuli, seed : int
    scrambled : bool
        With a sixth category: as many pictures as each of the others has, their phases replaced by random ones, so that
        spatial frequencies and colours stay and objects go.
    """
    names = [f"localizer{i:04d}" for i in range(n_stimuli)]
    kinds = [CATEGORIES[i % len(CATEGORIES)] for i in range(n_stimuli)]
    folder = (
        home() / "data" / "drawn-categories" / f"seed{seed}-n{n_stimuli}{'-scrambled' if scrambled else ''}"
    )
    extra = n_stimuli // len(CATEGORIES) if scrambled else 0
    scrambled_names = [f"scrambled{i:04d}" for i in range(extra)]
    if not all((folder / f"{name}.png").is_file() for name in names + scrambled_names):
        with whole_folder(folder) as temporary:
            for i, (name, kind) in enumerate(zip(names, kinds, strict=True)):
                generator = np.random.default_rng([seed, 77, i])
                drawn = picture(kind, Nuisance.draw(generator), generator)
                drawn.save(temporary / f"{name}.png")
                if i < extra:
                    phase_scrambled(drawn, generator).save(temporary / f"{scrambled_names[i]}.png")
    stimuli = StimulusSet(
        {"stimulus_id": names + scrambled_names, "category": [*kinds, *[SCRAMBLED] * extra]}
    )
    stimuli.stimulus_paths = {name: folder / f"{name}.png" for name in names + scrambled_names}
    stimuli.identifier = f"{'drawn-localizer' if scrambled else PICTURES}-{digest_of(n_stimuli, seed)[:8]}"
    return stimuli


@add_localizer("drawn-localizer", "the same, and phase-scrambled ones")
def _with_scrambled() -> StimulusSet:
    return drawn_categories(scrambled=True)


def phase_scrambled(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """A picture with the amplitudes of its spatial frequencies and random phases, the same turn in every colour."""
    pixels = np.asarray(image.convert("RGB"), np.float64)
    turn = np.angle(np.fft.fft2(generator.normal(size=pixels.shape[:2])))[..., None]
    turn[0, 0] = 0  # the mean colour stays
    mixed = np.fft.ifft2(np.fft.fft2(pixels, axes=(0, 1)) * np.exp(1j * turn), axes=(0, 1)).real
    return Image.fromarray(np.clip(np.round(mixed), 0, 255).astype(np.uint8))
