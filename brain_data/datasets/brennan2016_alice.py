"""brennan2016-alice: six regions of people who listened to the first chapter of Alice in Wonderland."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..card import DatasetCard, dataset, files_beside

if TYPE_CHECKING:
    from ..dataset import Dataset

REGIONS = ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG")
TR, CUT = 2.0, 10
"""Seconds from volume to volume, and the volumes that were cut from the start of the released time courses."""
_COMMIT = "ec54039b6ac5ad7bf8c81b91768108e5be5c1ce0"
_ADDRESS = f"https://raw.githubusercontent.com/daandouwe/Thesis/{_COMMIT}/brain-data/syntax-in-rnng"
_GRID = "stim/DownTheRabbitHoleFinal_exp120_pad_1.TextGrid"
_FILES = tuple(
    replace(one, url=f"{_ADDRESS}/alice_{one.name.replace('/', '_shared/', 1)}")
    for one in files_beside(__file__, "")
)


@dataset(
    DatasetCard(
        "brennan2016-alice",
        "27 people x 6 language regions in time, the first chapter of Alice in Wonderland (12 minutes)",
        modality="language",
        species="human",
        technique="fMRI",
        regions=REGIONS,
        n_subjects=27,
        n_stimuli=2127,
        license="CC BY 4.0",
        source=f"https://github.com/daandouwe/Thesis, commit {_COMMIT}, brain-data/syntax-in-rnng",
        units="BOLD, mean of a sphere of 6 mm",
        blocks="run",
        files=_FILES,
        bibtex="""@article{brennan2016,
  title = {Abstract linguistic structure correlates with temporal activity during naturalistic comprehension},
  author = {Brennan, Jonathan R. and Stabler, Edward P. and Van Wagenen, Sarah E. and Luh, Wen-Ming and Hale, John T.},
  journal = {Brain and Language},
  volume = {157--158},
  pages = {81--94},
  year = {2016},
  doi = {10.1016/j.bandl.2016.04.008}
}""",
    )
)
def load(card: DatasetCard, folder: Path) -> "Dataset":
    """The words with their times, and a time course a person and region.

    Row k was recorded 2 (k + 10) s after the words' clock began: ten volumes were cut before the release. ``confounds``
    are six parameters of head motion a person; ``sound_power`` on `presentation` is the released regressor of the
    sound's power, mean over people. One person, whose time courses are constant, is left out and counted.
    """
    import numpy as np
    import pandas as pd
    import xarray as xr

    from ..dataset import Dataset
    from ..stimulus_set import StimulusSet
    from ..timeseries.textgrid import textgrid_words

    words = textgrid_words(folder / _GRID)
    words.insert(0, "stimulus_id", [f"word{i:04d}" for i in range(len(words))])
    words.insert(1, "story", "chapter1")
    stimuli = StimulusSet(words)
    stimuli.identifier = card.identifier
    people, courses, confounds, power = [], [], [], []
    n_still = 0
    names = [file.name for file in card.files]
    for name in (one for one in names if one.endswith("-timecourses.txt")):
        person = Path(name).name.partition("-")[0]
        values = np.loadtxt(folder / name)
        if np.ptp(values) == 0:
            n_still += 1
            continue
        people.append(person)
        courses.append(values)
        moved = next(one for one in names if f"/{person}-rp_" in one)
        head = np.loadtxt(folder / moved)[CUT : CUT + len(values)]
        confounds.append(pd.DataFrame(head, columns=[f"{person}:motion{i}" for i in range(1, 7)]))
        power.append(np.loadtxt(folder / f"data/{person}-sndpwr.txt"))
    n = len(courses[0])
    responses = xr.DataArray(
        np.hstack(courses),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", np.full(n, "chapter1", object)),
            "run": ("presentation", np.full(n, "chapter1", object)),
            "time": ("presentation", TR * (CUT + np.arange(n))),
            "sound_power": ("presentation", np.mean(power, axis=0)),
            "neuroid_id": ("neuroid", [f"{person}-{region}" for person in people for region in REGIONS]),
            "region": ("neuroid", list(REGIONS) * len(people)),
            "subject": ("neuroid", np.repeat(people, len(REGIONS))),
        },
        attrs={"left_out": {"subjects whose time courses never vary": n_still}} if n_still else {},
    )
    return Dataset(
        **card.about(),
        stimuli=stimuli,
        responses=responses,
        kind="series",
        tr=TR,
        confounds=pd.concat(confounds, axis=1),
    )
