"""frank2015: six event-related potentials and five reading times of 1726 words, each read after the words before it."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..card import DatasetCard, KnownFile, dataset

if TYPE_CHECKING:
    from ..dataset import Dataset

_COMMIT = "7162734da00a9a3c81d5ebaec65bdf6d59e931fc"
_FILE = KnownFile(
    "all_measures.csv",
    "db3ccd106220e1e3d7d64871b5f7c05a9d159ef4cb639f985b792d559686f7f6",
    f"https://raw.githubusercontent.com/Andrea-de-Varda/prediction-resource/{_COMMIT}/all_measures.csv",
)
_COMPONENTS = ("ELAN", "LAN", "N400", "EPNP", "P600", "PNP")
_READING = {
    "self-paced": "self_paced_reading_time",
    "first-fixation": "RTfirstfix",
    "gaze": "RTfirstpass",
    "right-bounded": "RTrightbound",
    "go-past": "RTgopast",
}
_LABELS = {"cloze_p_smoothed": "cloze_probability", "s_GPT2": "surprisal_gpt2", "length": "n_letters"}


@dataset(
    DatasetCard(
        "frank2015",
        "1726 words of 205 sentences x 6 event-related potentials (N400 among them), mean of 24 participants, and 5 "
        "reading times",
        modality="language",
        species="human",
        technique="EEG; self-paced reading, eye tracking",
        regions=(*_COMPONENTS, *_READING),
        n_subjects=24,
        n_stimuli=1726,
        license="not stated where the file lies",
        source=f"https://github.com/Andrea-de-Varda/prediction-resource, commit {_COMMIT}",
        units="microvolt; ms of reading times",
        files=(_FILE,),
        bibtex="""@article{frank2015,
  title = {The {ERP} response to the amount of information conveyed by words in sentences},
  author = {Frank, Stefan L. and Otten, Leun J. and Galli, Giulia and Vigliocco, Gabriella},
  journal = {Brain and Language},
  volume = {140},
  pages = {1--11},
  year = {2015},
  doi = {10.1016/j.bandl.2014.10.006}
}
@article{frank2013,
  title = {Reading time data for evaluating broad-coverage models of {English} sentence processing},
  author = {Frank, Stefan L. and Fernandez Monsalve, Irene and Thompson, Robin L. and Vigliocco, Gabriella},
  journal = {Behavior Research Methods},
  volume = {45},
  pages = {1182--1190},
  year = {2013},
  doi = {10.3758/s13428-012-0313-y}
}
@article{devarda2023,
  title = {Cloze probability, predictability ratings, and computational estimates for 205 {English} sentences, aligned \
with existing {EEG} and reading time data},
  author = {de Varda, Andrea Gregor and Marelli, Marco and Amenta, Simona},
  journal = {Behavior Research Methods},
  year = {2023},
  doi = {10.3758/s13428-023-02261-8}
}""",
    )
)
def load(card: DatasetCard, folder: Path) -> "Dataset":
    """The words in the order of their sentences, and one amplitude or reading time a word and measure.

    A stimulus is the sentence up to and including the word, never what comes after it. ``story`` names the
    sentence, so that folds keep it whole. Participants are averaged in the released file: there is no repetition to
    take a ceiling from. ``log_frequency`` is Subtlex's, of which 30 words have none (NaN).
    """
    import numpy as np
    import pandas as pd

    from ..dataset import Dataset

    table = pd.read_csv(folder / _FILE.name, keep_default_na=False)
    table = table.sort_values(["sent_id", "context_length"], ignore_index=True)
    stimuli = pd.DataFrame(
        {
            "stimulus_id": table["item_id"].map("word{:04d}".format),
            "sentence": (table["item"] + " " + table["word"]).str.strip(),
            "target": table["word"],
            "story": table["sent_id"].map("sentence{:03d}".format),
            "position": table["context_length"],
        }
        | {name: table[column] for column, name in _LABELS.items()}
        | {"log_frequency": pd.to_numeric(table["Subtlex_log10"].replace("", np.nan))}
    )
    columns = [_READING.get(region, region) for region in card.regions]
    regions = list(card.regions)
    responses = pd.DataFrame(table[columns].to_numpy(np.float64), columns=regions)
    return Dataset.from_arrays(responses=responses, stimuli=stimuli, region=regions, **card.about())
