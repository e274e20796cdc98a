from .codes import Codes as Codes, Weights as Weights
from .describe import describe as describe
from .descriptions.evidence import Reading as Reading, Seen as Seen
from .dictionary import Dictionary as Dictionary, Site as Site
from .formats.base import read_dictionary as read_dictionary
from .learning.of_model import train as train
from .learning.settings import Seeds as Seeds, Settings as Settings
from .learning.training import train_dictionary as train_dictionary
from .lenses.class_lens import class_lens as class_lens
from .lenses.importance import (
    ablation_importance as ablation_importance,
    gradient_importance as gradient_importance,
)
from .lenses.logit_lens import lens_grid as lens_grid, lens_profile as lens_profile
from .lenses.tuned_lens import tune_lens as tune_lens
from .lenses.vocabulary import vocabulary as vocabulary
from .probes.layer import probe_layer as probe_layer
from .probes.optimal_probe import optimal_support as optimal_support
from .probes.probe import probe as probe
from .quality.activation_matching import match_activations as match_activations
from .quality.check import check as check
from .quality.loss_recovered import loss_recovered as loss_recovered
from .quality.matching import direction_floors as direction_floors, match_directions as match_directions
from .quality.reconstruction import reconstruction as reconstruction
from .quality.splitting import splitting as splitting
from .sheets.feature_mass import mass_table as mass_table
from .sheets.mass_nulls import mass_comparison as mass_comparison
from .sheets.same_place import same_place as same_place
from .views.base import Inside as Inside, table_of as table_of
from .voxels.feature_regions import region_bars as region_bars
from .voxels.sparse_voxels import voxel_curves as voxel_curves
