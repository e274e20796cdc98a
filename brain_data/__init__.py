"""Brain data: what was recorded, where it comes from, how good it is."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .brainio import from_brainio, to_brainio
    from .catalogue import DatasetCard, add_dataset, dataset_card, is_installed, list_datasets, load_dataset
    from .ceilings import extrapolated_ceiling, rdm_ceiling, reliability
    from .dataset import Dataset, Published

_WHERE = {
    "Dataset": ".dataset",
    "DatasetCard": ".catalogue",
    "Published": ".dataset",
    "add_dataset": ".catalogue",
    "dataset_card": ".catalogue",
    "extrapolated_ceiling": ".ceilings",
    "from_brainio": ".brainio",
    "is_installed": ".catalogue",
    "list_datasets": ".catalogue",
    "load_dataset": ".catalogue",
    "rdm_ceiling": ".ceilings",
    "reliability": ".ceilings",
    "to_brainio": ".brainio",
}
__all__ = [
    "Dataset",
    "DatasetCard",
    "Published",
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
