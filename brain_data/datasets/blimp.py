"""blimp: pairs of English sentences of which one is acceptable, 67 paradigms of grammar."""

import hashlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from ..card import DatasetCard, dataset, files_beside

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..read_options import ReadOptions

_COMMIT = "3e56b06fcabca9b30822fc66435fca6b1aa40bb1"
_HEAD = 100
_FILES = files_beside(
    __file__, f"https://raw.githubusercontent.com/alexwarstadt/blimp/{_COMMIT}/data/{{name}}"
)
_FIELDS = {"syntax/semantics": "syntax_semantics"}


def fetch(target: Path, source: Path | None, options: "ReadOptions | None" = None) -> None:
    """Copy the 67 files of the release, or those of its first 100 pairs a paradigm.

    Parameters
    ----------
    target : Path
    source : Path or None
        A folder of ``.jsonl`` files, such as ``data`` of the repository.
    options : ReadOptions, optional
        There is nothing to choose.

    Raises
    ------
    UserError
        For an option, a file that is not there, or one whose first 100 lines are not the release's.
    NotAvailableError
        Without a folder.
    """
    from ...errors import NotAvailableError, UserError
    from ...files import copy_file, whole_folder

    if options is not None and options.given():
        raise UserError("'blimp' is installed whole: leave out the options")
    if source is None:
        raise NotAvailableError(
            f"'blimp' is added from a folder: clone https://github.com/alexwarstadt/blimp (commit {_COMMIT[:10]}), "
            "then brodmann data add blimp --from blimp/data"
        )
    if not all((source / file.name).is_file() for file in _FILES) and (source / "data").is_dir():
        source = source / "data"
    for file in _FILES:
        if not (source / file.name).is_file():
            raise UserError(f"{source} holds no {file.name}: expected the {len(_FILES)} files of BLiMP")
        with (source / file.name).open("rb") as lines:
            head = b"".join(itertools.islice(lines, _HEAD))
        if hashlib.sha256(head).hexdigest() != file.digest:
            raise UserError(f"the first {_HEAD} pairs of {source / file.name} are not those of BLiMP")
    with whole_folder(target) as folder:
        for file in _FILES:
            copy_file(source / file.name, folder / file.name)


@dataset(
    DatasetCard(
        "blimp",
        "pairs of sentences of which one is acceptable, 67 paradigms of grammar (1000 pairs each, or the first)",
        modality="language",
        species="human",
        technique="acceptability by linguists' rules",
        regions=("acceptability",),
        license="CC BY 4.0",
        source=f"https://github.com/alexwarstadt/blimp, commit {_COMMIT}",
        units="1 acceptable, 0 not",
        blocks="paradigm",
        bibtex="""@article{warstadt2020,
  title = {{BLiMP}: The Benchmark of Linguistic Minimal Pairs for {English}},
  author = {Warstadt, Alex and Parrish, Alicia and Liu, Haokun and Mohananey, Anhad and Peng, Wei and \
Wang, Sheng-Fu and Bowman, Samuel R.},
  journal = {Transactions of the Association for Computational Linguistics},
  volume = {8},
  pages = {377--392},
  year = {2020},
  doi = {10.1162/tacl_a_00321}
}""",
    ),
    fetch=fetch,
)
def load(card: DatasetCard, folder: Path) -> "Dataset":
    """Two rows a pair, ``acceptable`` 1 and 0, with ``pair``, ``paradigm``, ``phenomenon`` and ``field``."""
    import numpy as np
    import pandas as pd

    from ...errors import UserError
    from ...files import parse_json
    from ..dataset import Dataset

    rows = []
    for file in _FILES:
        lines = (folder / file.name).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(filter(str.strip, lines)):
            entry = parse_json(line)
            if not isinstance(entry, dict) or not {"sentence_good", "sentence_bad", "UID", "field"} <= set(
                entry
            ):
                raise UserError(f"{folder / file.name}, line {number + 1}: no pair of sentences")
            pair = f"{entry['UID']}-{number:04d}"
            field = _FIELDS.get(str(entry["field"]), str(entry["field"]))
            shared = (pair, str(entry["UID"]), str(entry.get("linguistics_term", "")), field)
            rows += [
                (f"{pair}-{kind}", str(entry[f"sentence_{kind}"]), kind == "good", *shared)
                for kind in ("bad", "good")
            ]
    columns = ["stimulus_id", "sentence", "acceptable", "pair", "paradigm", "phenomenon", "field"]
    stimuli = pd.DataFrame(rows, columns=columns)
    responses = pd.DataFrame({"acceptable": stimuli.pop("acceptable").to_numpy(np.float64)})
    return Dataset.from_arrays(responses=responses, stimuli=stimuli, region=card.regions[0], **card.about())
