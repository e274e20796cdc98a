"""Brain data: what was recorded, where it comes from, how good it is."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .card import DatasetCard
    from .catalogue import add_dataset, dataset_card, is_installed, list_datasets, load_dataset
    from .dataset import Dataset, Published
    from .formats.brainio import from_brainio, to_brainio
    from .noise_ceiling import extrapolated_ceiling, rdm_ceiling, reliability
    from .stimulus_set import StimulusSet

_WHERE = {
    "Dataset": ".dataset",
    "DatasetCard": ".card",
    "Published": ".dataset",
    "StimulusSet": ".stimulus_set",
    "add_dataset": ".catalogue",
    "dataset_card": ".catalogue",
    "extrapolated_ceiling": ".noise_ceiling",
    "from_brainio": ".formats.brainio",
    "is_installed": ".catalogue",
    "list_datasets": ".catalogue",
    "load_dataset": ".catalogue",
    "rdm_ceiling": ".noise_ceiling",
    "reliability": ".noise_ceiling",
    "to_brainio": ".formats.brainio",
}
__all__ = [
    "Dataset",
    "DatasetCard",
    "Published",
    "StimulusSet",
    "add_dataset",
    "dataset_card",
    "extrapolated_ceiling",
    "from_brainio",
    "is_installed",
    "list_datasets",
    "load_dataset",
    "rdm_ceiling",
    "reliability",
    "to_brainio",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
