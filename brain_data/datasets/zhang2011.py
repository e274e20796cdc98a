"""zhang2011: 132 neurons of macaque IT, 7 objects at 3 positions, single trials."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...files import digest_of, remember
from ...progress import track
from ..card import DatasetCard, dataset, files_beside

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from ..dataset import Dataset

VERSION = 1
ONSET = 500
"""Index of the sample (1 ms each) at which the stimulus appears."""
_END = "_raster_data.mat"
_COMMIT = "826e2119a69d7879c3f58c75854272324dead2a7"
_ADDRESS = f"https://raw.githubusercontent.com/emeyers/NeuroDecodeR/{_COMMIT}/data-raw/raster"


@dataset(
    DatasetCard(
        "zhang2011",
        "7 objects x 3 positions x 132 neurons of macaque IT, single trials",
        modality="vision",
        species="macaque",
        technique="single cells",
        regions=("IT",),
        n_stimuli=21,
        license="GPL-3 (the repository's; none for the data apart)",
        source=f"https://github.com/emeyers/NeuroDecodeR, commit {_COMMIT}, data-raw/raster",
        units="spikes/s",
        blocks="none",  # rows are conditions, not an order of recording
        files=files_beside(__file__, f"{_ADDRESS}/Zhang_Desimone_7object_raster_data_mat/{{basename}}"),
        bibtex="""@article{zhang2011,
  title = {Object decoding with attention in inferior temporal cortex},
  author = {Zhang, Ying and Meyers, Ethan M. and Bichot, Narcisse P. and Serre, Thomas and Poggio, Tomaso A. and \
Desimone, Robert},
  journal = {Proceedings of the National Academy of Sciences},
  volume = {108},
  number = {21},
  pages = {8850--8855},
  year = {2011},
  doi = {10.1073/pnas.1100999108}
}

@article{meyers2024,
  title = {NeuroDecodeR: a package for neural decoding in R},
  author = {Meyers, Ethan M.},
  journal = {Frontiers in Neuroinformatics},
  volume = {17},
  pages = {1275903},
  year = {2024},
  doi = {10.3389/fninf.2023.1275903}
}""",
    )
)
def load(card: DatasetCard, folder: Path, *, window_ms: tuple[int, int] = (100, 400)) -> "Dataset":
    """Firing rates of single trials, as an aligned pseudo-population.

    The neurons were recorded one after the other, each with its own order of trials. Trial k of a condition
    (object x position) of every neuron makes presentation k of the population: neurons share the condition,
    not the moment, so correlations of their noise mean nothing. Each condition has as many repetitions as
    the neuron with the fewest trials of it; the rest is counted in ``responses.attrs["left_out"]``.

    Parameters
    ----------
    card : DatasetCard
    folder : Path
        The installed files; the rates are kept beside them.
    window_ms : tuple of int
        Spikes are counted from the first to before the second, in ms after the stimulus' onset.

    Raises
    ------
    UserError
        Where the window is empty or leaves the recording (-500 to 500 ms).
    """
    import numpy as np
    import xarray as xr

    from ..dataset import Dataset
    from ..stimulus_set import StimulusSet

    start, stop = window_ms
    if not -ONSET <= start < stop <= ONSET:
        raise UserError(f"window_ms={window_ms} must lie within -{ONSET} to {ONSET} ms and not be empty")
    key = digest_of(VERSION, start, stop)[:16]
    kept = remember(
        folder / "derived" / f"rates-{key}.npz", lambda path: _save(path, card, folder, window_ms)
    )
    with np.load(kept, allow_pickle=False) as arrays:
        rates, condition, repetition = arrays["rates"], arrays["condition"], arrays["repetition"]
        n_left_out = int(arrays["n_left_out"])
    names = sorted(set(condition.tolist()))
    parts = [name.rpartition("_") for name in names]
    stimuli = StimulusSet(
        {
            "stimulus_id": names,
            "object": [part[0] for part in parts],
            "position": [part[2] for part in parts],
        }
    )
    stimuli.identifier = card.identifier
    responses = xr.DataArray(
        rates,
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", condition.astype(object)),
            "repetition": ("presentation", repetition),
            "neuroid_id": ("neuroid", [Path(file.name).name.removesuffix(_END) for file in card.files]),
            "region": ("neuroid", ["IT"] * rates.shape[1]),
        },
        attrs={"left_out": {"trials": n_left_out}},
    )
    return Dataset(**card.about(), stimuli=stimuli, responses=responses, has_stimuli=False)


def firing_rates(path: Path, window_ms: tuple[int, int]) -> "pd.DataFrame":
    """One neuron's trials: ``condition`` (object_position) and ``rate`` in spikes/s, in recorded order."""
    import numpy as np
    import pandas as pd
    from scipy.io import loadmat

    recorded = loadmat(path, squeeze_me=True)
    first, last = ONSET + window_ms[0], ONSET + window_ms[1]
    counts = recorded["raster_data"][:, first:last].sum(axis=1, dtype=np.int64)
    labels: Any = recorded["raster_labels"]["combined_ID_position"].item()
    return pd.DataFrame({"condition": labels.astype(str), "rate": counts * 1000.0 / (last - first)})


def _save(path: Path, card: DatasetCard, folder: Path, window_ms: tuple[int, int]) -> None:
    import numpy as np
    import pandas as pd

    neurons = [
        firing_rates(folder / file.name, window_ms) for file in track(card.files, "reading spike rasters")
    ]
    fewest = pd.DataFrame([neuron["condition"].value_counts() for neuron in neurons]).fillna(0).min()
    fewest = fewest.astype(int).sort_index()
    columns = [_aligned(neuron, fewest) for neuron in neurons]
    condition = np.repeat(fewest.index.to_numpy(str), fewest.to_numpy())
    with path.open("wb") as stream:
        np.savez(
            stream,
            rates=np.stack(columns, axis=1),
            condition=condition,
            repetition=np.concatenate([np.arange(number) for number in fewest]),
            n_left_out=sum(map(len, neurons)) - len(condition) * len(neurons),
        )


def _aligned(neuron: "pd.DataFrame", fewest: "pd.Series[int]") -> "npt.NDArray[np.float64]":
    """The first trials of every condition, as many as `fewest` says, conditions in its order."""
    import numpy as np

    groups = dict(iter(neuron.groupby("condition")["rate"]))
    return np.concatenate([groups[name].to_numpy()[:number] for name, number in fewest.items()])
