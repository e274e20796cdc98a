"""The order of conditions that GLMsingle keeps beside its betas."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....bounded import require_for, require_for_matlab
from ....errors import UserError, first_line
from ...imported import ReadOptions
from ..arrays.hdf5_nodes import stored_array
from ..tables.table import file_beside, read_table
from ..tables.trials import Trials, find_trials, read_trials

if TYPE_CHECKING:
    import h5py

GLMSINGLE_FILE = re.compile(r"(TYPE[A-D]_[A-Z_]+)\.(hdf5|h5|mat|npy)", re.IGNORECASE)


def trials_of(n_trials: int, first: int, folder: Path, options: ReadOptions) -> tuple[Trials, list[str]]:
    """What was shown in each trial: by a table, else by the order of the conditions."""
    said_file = None if options.events is None else file_beside(options.events, folder)
    if said_file is not None and said_file.suffix.lower() in (".npy", ".txt", ".mat", ".hdf5", ".h5"):
        return _of_order(*_order(said_file, n_trials), first, folder, options)
    table = find_trials(folder, options)
    if table is not None:
        trials = read_trials(table, options)
        if len(trials.table) != n_trials:
            raise UserError(f"{trials.name} has {len(trials.table)} rows, and there are {n_trials} trials")
        return trials, []
    design = [one for suffix in (".hdf5", ".h5", ".mat") if (one := folder / f"DESIGNINFO{suffix}").is_file()]
    if design:
        return _of_order(*_order(design[0], n_trials), first, folder, options)
    pickled = (
        "; DESIGNINFO.npy is a pickled dictionary, which is not read: save its stimorder by "
        "np.savetxt('stimorder.txt', stimorder, '%d') and give --events stimorder.txt"
        if (folder / "DESIGNINFO.npy").is_file()
        else ""
    )
    raise UserError(
        f"{folder} has no table of trials: name one by --events (a row a trial, in their order, a column stimulus_id)"
        + pickled
    )


def _order(path: Path, n_trials: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64] | None, Path]:
    """The condition of each trial, and the number of trials of each run where it is known."""
    import h5py

    per_run: Any = None
    try:
        if path.suffix.lower() == ".npy":
            require_for(path, 2 * path.stat().st_size)
            order: Any = np.load(path, allow_pickle=False)
        elif path.suffix.lower() == ".txt":
            require_for(path, 8 * path.stat().st_size)
            order = np.loadtxt(path, ndmin=1)
        elif h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                order = _short(file, "stimorder", path)
                per_run = _short(file, "numtrialrun", path) if "numtrialrun" in file else None
        else:
            import scipy.io

            require_for_matlab(path)
            content = scipy.io.loadmat(path, variable_names=["stimorder", "numtrialrun"])
            order, per_run = content.get("stimorder"), content.get("numtrialrun")
            if order is None:
                raise UserError(f"{path.name} holds no stimorder")
    except UserError:
        raise
    except Exception as error:  # scipy, numpy and HDF5 have errors of every kind
        what = "a pickle" if "allow_pickle" in str(error) else first_line(error)
        raise UserError(
            f"{path.name} does not say the order of conditions ({what}): give a table by --events"
        ) from error
    numbers = np.asarray(order, np.float64).ravel()
    if len(numbers) != n_trials:
        raise UserError(f"{path.name} has {len(numbers)} trials, and the betas {n_trials}")
    if not np.isfinite(numbers).all() or (numbers % 1).any() or numbers.min() < 0:
        raise UserError(f"{path.name}: conditions are whole numbers, and these are not")
    runs = None if per_run is None else np.asarray(per_run, np.float64).ravel().astype(np.int64)
    return numbers.astype(np.int64), runs, path


def _short(file: "h5py.File", name: str, path: Path) -> npt.NDArray[Any]:
    if name not in file:
        raise UserError(f"{path.name} holds no {name}, but {', '.join(sorted(file)[:8])}")
    array = stored_array(file, name)
    require_for(path, 8 * array.size)
    return np.asarray(array[()])


def _of_order(
    order: npt.NDArray[np.int64],
    per_run: npt.NDArray[np.int64] | None,
    path: Path,
    first: int,
    folder: Path,
    options: ReadOptions,
) -> tuple[Trials, list[str]]:
    """Trials by the number of their condition, named by the rows of a table of stimuli where there is one."""
    if order.min() < first:
        raise UserError(f"{path.name}: MATLAB counts conditions from 1, and there is a {order.min()}")
    said = [f"conditions by {path.name}, counted from {first}"]
    wanted = file_beside(options.stimuli, folder) if options.stimuli else None
    listed = wanted or next(
        (one for one in (folder / "stimuli.csv", folder / "stimuli.tsv") if one.is_file()), None
    )
    if listed is not None:
        stimuli = read_table(listed, ("stimulus_id",))
        if "stimulus_id" not in stimuli:
            raise UserError(f"{listed.name} has no column stimulus_id, a row a condition")
        if order.max() - first >= len(stimuli):
            raise UserError(f"{listed.name} has {len(stimuli)} rows, and there is a condition {order.max()}")
        names = stimuli["stimulus_id"].to_numpy(object)[order - first]
        said.append(f"condition {first} is the first row of {listed.name}")
    else:
        names = np.array([f"condition-{number}" for number in order], object)
    table = pd.DataFrame({"stimulus_id": names})
    if per_run is not None and int(per_run.sum()) == len(order) and (per_run >= 0).all():
        table["run"] = np.repeat([f"run-{i + 1}" for i in range(len(per_run))], per_run)
    return Trials(table, path.name), said
