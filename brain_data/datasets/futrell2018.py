"""futrell2018: Natural Stories, self-paced reading times of the words of ten stories."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..card import DatasetCard, KnownFile, dataset

if TYPE_CHECKING:
    from ..dataset import Dataset

_COMMIT = "6e1a989b24fff0ffd7cac67d880a94136c4b4fb5"
_URL = f"https://raw.githubusercontent.com/mschrimpf/neural-nlp/{_COMMIT}/ressources/neural_data/naturalstories_RTS"
_DIGESTS = {
    "all_stories.tok": "0e4e9bd4708aaa01d8bea342696bb83cedff679c09184545483f6f3f4ba8aca3",
    "mean_reading_times.csv": "c00c832f9fbda9138bdfcbe8667cecdb2e98db9fa0a97d0f3a6a2fdcba40ac3c",
}
_ENDS = re.compile(r"""[.?!]["')]*$""")


@dataset(
    DatasetCard(
        "futrell2018",
        "10 256 words of ten stories, self-paced reading time of each, mean of its readers",
        modality="language",
        species="human",
        technique="self-paced reading",
        regions=("reading",),
        n_subjects=181,
        n_stimuli=10256,
        license="CC BY-NC-SA",
        source=f"https://github.com/mschrimpf/neural-nlp, commit {_COMMIT}; "
        "original: https://github.com/languageMIT/naturalstories",
        units="ms",
        blocks="story",
        files=tuple(KnownFile(name, digest, f"{_URL}/{name}") for name, digest in _DIGESTS.items()),
        bibtex="""@article{futrell2018,
  title = {The {Natural} {Stories} corpus: a reading-time corpus of {English} texts containing rare syntactic \
constructions},
  author = {Futrell, Richard and Gibson, Edward and Tily, Harry J. and Blank, Idan and Vishnevetsky, Anastasia and \
Piantadosi, Steven T. and Fedorenko, Evelina},
  journal = {Language Resources and Evaluation},
  volume = {55},
  pages = {63--77},
  year = {2021},
  doi = {10.1007/s10579-020-09503-7}
}""",
    )
)
def load(card: DatasetCard, folder: Path) -> "Dataset":
    """The words in the order of their stories, as they were read, with the punctuation that clings to them.

    The words are those of the stories: the table of times spells ``true`` and ``false`` in capitals. A sentence ends
    with a full stop, a question or an exclamation mark, also before a closing quotation mark, unless a small letter
    follows. Readers are averaged in the released file: there is no repetition to take a ceiling from.
    """
    import csv

    import numpy as np
    import pandas as pd

    from ...errors import UserError
    from ..dataset import Dataset

    places = ["item", "zone"]
    tokens, times = _DIGESTS
    words = pd.read_csv(folder / tokens, sep="\t", keep_default_na=False, quoting=csv.QUOTE_NONE)
    read = pd.read_csv(folder / times, keep_default_na=False).drop(columns="word")
    table = words.merge(read, on=places, validate="one_to_one").sort_values(places, ignore_index=True)
    if len(table) != len(words):
        raise UserError(f"{card.identifier}: {len(words) - len(table)} words have no reading time")
    small = table["word"].str[0].str.islower().shift(-1, fill_value=False)
    ends = table["word"].map(lambda word: bool(_ENDS.search(word))) & ~small
    first = ends.groupby(table["item"]).shift(fill_value=True)
    sentence = first.cumsum()
    stimuli = pd.DataFrame(
        {
            "stimulus_id": [f"story{item:02d}-{zone:04d}" for item, zone in table[places].to_numpy()],
            "word": table["word"],
            "story": table["item"].map("story{:02d}".format),
            "position": table["zone"],
            "place_in_sentence": table.groupby(sentence).cumcount() + 1,
        }
    )
    responses = pd.DataFrame({"reading_time": table["meanItemRT"].to_numpy(np.float64)})
    return Dataset.from_arrays(responses=responses, stimuli=stimuli, region="reading", **card.about())
