from .card import DatasetCard as DatasetCard
from .catalogue import (
    add_dataset as add_dataset,
    dataset_card as dataset_card,
    is_installed as is_installed,
    list_datasets as list_datasets,
    load_dataset as load_dataset,
)
from .dataset import Dataset as Dataset, Published as Published
from .formats.brainio import from_brainio as from_brainio, to_brainio as to_brainio
from .noise_ceiling import (
    extrapolated_ceiling as extrapolated_ceiling,
    rdm_ceiling as rdm_ceiling,
    reliability as reliability,
)
from .stimulus_set import StimulusSet as StimulusSet
