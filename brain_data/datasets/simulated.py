"""simulated-cortex: recordings made from a seed, whose ceiling, best model and maps are known."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..card import DatasetCard, dataset

if TYPE_CHECKING:
    from ..dataset import Dataset

_SOURCE = "made by brodmann.brain_data.datasets.simulated from a seed"


@dataset(
    DatasetCard(
        "simulated-cortex",
        "Simulated visual cortex: procedural pictures, a V1-like and an IT-like sheet",
        modality="vision",
        species="none (simulated)",
        technique="simulation",
        regions=("V1", "IT"),
        n_stimuli=500,
        license="MIT (made by brodmann)",
        source=_SOURCE,
        simulated=True,
        units="a.u. (simulated)",
        blocks="none",
    )
)
def vision(card: DatasetCard, folder: Path) -> "Dataset":
    """:func:`brodmann.brain_data.simulated_cortex.simulated_cortex` as it is by default."""
    from ..simulated_cortex import simulated_cortex

    return simulated_cortex()


@dataset(
    DatasetCard(
        "simulated-cortex-language",
        "Simulated language cortex: procedural sentences of two grammars, one sheet",
        modality="language",
        species="none (simulated)",
        technique="simulation",
        regions=("language",),
        n_stimuli=400,
        license="MIT (made by brodmann)",
        source=_SOURCE,
        simulated=True,
        units="a.u. (simulated)",
        blocks="none",
    )
)
def language(card: DatasetCard, folder: Path) -> "Dataset":
    """:func:`brodmann.brain_data.simulated_cortex.simulated_language` as it is by default."""
    from ..simulated_cortex import simulated_language

    return simulated_language()
