"""tuckute2024: 1000 sentences, mean response of six regions of the left-hemisphere language network."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..card import DatasetCard, KnownFile, dataset

if TYPE_CHECKING:
    from ..dataset import Dataset

_PREFIX = "lang_LH_"
_COMMIT = "72a36f7bf5cc58df2bdee665856c2944afdf89db"
_FILE = KnownFile(
    "bold_response_LH.csv",
    "7b794f7efbd2abd76012d629e4f7a19bb758bb0a85a1fae8c50e8fadd52f1e0f",
    f"https://raw.githubusercontent.com/flawreen/LLM2vec/{_COMMIT}/bold_response_LH.csv",
)


@dataset(
    DatasetCard(
        "tuckute2024",
        "1000 six-word sentences x 6 regions of the left-hemisphere language network, mean of 5 participants",
        modality="language",
        species="human",
        technique="fMRI",
        regions=("AntTemp", "IFG", "IFGorb", "MFG", "PostTemp", "netw"),
        n_subjects=5,
        n_stimuli=1000,
        license="not stated where the file lies; the authors' code is MIT",
        source=f"https://github.com/flawreen/LLM2vec, commit {_COMMIT}; "
        "original: https://github.com/gretatuckute/drive_suppress_brains",
        units="BOLD response, voxels z-scored per session",
        files=(_FILE,),
        published_ceilings={
            "netw": {
                "value": 0.559,
                "source": "noise ceiling of the authors' released data for the network: ncsnr 0.3016, 5 participants",
            }
        },
        bibtex="""@article{tuckute2024,
  title = {Driving and suppressing the human language network using large language models},
  author = {Tuckute, Greta and Sathe, Aalok and Srikant, Shashank and Taliaferro, Maya and Wang, Mingye and \
Schrimpf, Martin and Kay, Kendrick and Fedorenko, Evelina},
  journal = {Nature Human Behaviour},
  volume = {8},
  pages = {544--561},
  year = {2024},
  doi = {10.1038/s41562-023-01783-7}
}""",
    )
)
def load(card: DatasetCard, folder: Path) -> "Dataset":
    """The sentences and one response a sentence and region.

    The five participants' responses are averaged in the released file, so there is one presentation a
    sentence and no repetition to take a ceiling from: the network has the published one.
    """
    import numpy as np
    import pandas as pd
    import xarray as xr

    from ..dataset import Dataset
    from ..stimulus_set import StimulusSet

    table = pd.read_csv(folder / _FILE.name)
    columns = [f"{_PREFIX}{region}" for region in card.regions]
    sentences = table["sentence"].astype(str)
    stimuli = StimulusSet(
        {
            "stimulus_id": table["item_id"].astype(str),
            "sentence": sentences,
            "n_words": sentences.str.split().str.len(),
        }
    )
    stimuli.identifier = card.identifier
    responses = xr.DataArray(
        table[columns].to_numpy(np.float64),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", stimuli["stimulus_id"].to_numpy()),
            "repetition": ("presentation", np.zeros(len(table), dtype=int)),
            "neuroid_id": ("neuroid", columns),
            "region": ("neuroid", list(card.regions)),
        },
    )
    return Dataset(**card.about(), stimuli=stimuli, responses=responses)
