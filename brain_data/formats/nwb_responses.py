"""Responses in Neurodata Without Borders: a series over presentations, and tables of what was shown and recorded."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError, first_line, missing_extra
from ...files import read_json, whole_folder
from ..dataset import Dataset
from ..imported import Imported, ReadOptions, imported_of
from ..stored import row_blocks
from .recording import RecordingFormat, add_recording_format

_FILE, _PICTURES, _MODULE, _ABOUT = "responses.nwb", "stimuli", "brodmann", "about.json"
_TABLES = ("presentations", "neuroids", "stimuli", "time_bins", "confounds")


@add_recording_format
class NwbResponses(RecordingFormat):
    """A folder with responses.nwb, responses over presentations as brodmann writes them, and the pictures beside it."""

    name, takes, writes, package, extra = "nwb-responses", (), True, "pynwb", "nwb"

    def recognizes(self, path: Path) -> bool:
        """By the names of the two files."""
        return (path / _FILE).is_file() and (path / _ABOUT).is_file()

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """What was written; the responses stay in the file until they are asked for."""
        import h5py

        about = read_json(path / _ABOUT)
        try:
            file = h5py.File(path / _FILE, "r")
            module = file[f"processing/{_MODULE}"]
            tables = {name: _read_table(module[name]) for name in _TABLES if name in module}
            values = module["responses/data"]
            told = {
                key: about[key]
                for key in (
                    "modality",
                    "kind",
                    "tr",
                    "blocks",
                    "simulated",
                    "about",
                    "left_out",
                    "said",
                    "published_ceilings",
                )
            }
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path} is damaged ({first_line(error)}): write it again") from error
        presentations, stimuli = tables["presentations"], tables["stimuli"]
        good = None if "good" not in presentations else presentations.pop("good").to_numpy(bool)
        pictures = {}
        if (path / _PICTURES).is_dir() and "filename" in stimuli:
            inside = {file.name: file for file in (path / _PICTURES).iterdir()}
            pictures = {
                one: inside[name]
                for one, name in zip(stimuli["stimulus_id"], stimuli["filename"], strict=True)
                if name in inside
            }
        return Imported(
            stimuli, values, presentations, tables["neuroids"], tables.get("time_bins"), pictures,
            confounds=tables.get("confounds"), good=good, **told,
        )  # fmt: skip

    def write(self, dataset: Dataset, path: Path) -> None:
        """A folder that is there when it is whole."""
        try:
            import pynwb
        except ImportError as error:
            raise missing_extra("pynwb", "nwb", why="writing NWB") from error
        imported = imported_of(dataset)
        if imported.surfaces or imported.images:
            raise UserError(
                f"{dataset.identifier} has a mask or meshes, for which this file has no place: use folder"
            )
        if path.exists() and not (self.recognizes(path) or (path.is_dir() and not any(path.iterdir()))):
            raise UserError(f"{path} is not empty and holds no {_FILE}: give a new folder")
        stimuli = imported.stimuli
        with whole_folder(path) as folder:
            if imported.pictures:
                (folder / _PICTURES).mkdir()
                names = [
                    f"{i:06d}{imported.pictures[one].suffix}" for i, one in enumerate(stimuli["stimulus_id"])
                ]
                for one, name in zip(stimuli["stimulus_id"], names, strict=True):
                    shutil.copyfile(imported.pictures[one], folder / _PICTURES / name)
                stimuli = stimuli.assign(filename=names)
            file = pynwb.NWBFile(
                session_description=f"{dataset.identifier}, written by brodmann",
                identifier=dataset.digest,
                session_start_time=datetime(1970, 1, 1, tzinfo=UTC),
            )
            module = file.create_processing_module(_MODULE, "responses, and what was shown and recorded")
            _add_responses(module, imported)
            shown = imported.presentations
            if imported.good is not None:
                shown = shown.assign(good=imported.good)
            parts = (shown, imported.neuroids, stimuli, imported.time_bins, imported.confounds)
            for name, table in zip(_TABLES, parts, strict=True):
                if table is not None:
                    _add_table(module, name, table)
            with pynwb.NWBHDF5IO(folder / _FILE, "w") as writer:
                writer.write(file)
            (folder / _ABOUT).write_text(json.dumps(_about(imported, dataset)))


def _about(imported: Imported, dataset: Dataset) -> dict[str, Any]:
    return {
        "modality": dataset.modality,
        "kind": imported.kind,
        "tr": imported.tr,
        "blocks": imported.blocks,
        "simulated": imported.simulated,
        "about": dict(imported.about),
        "left_out": dict(imported.left_out),
        "said": list(imported.said),
        "published_ceilings": {region: dict(one) for region, one in imported.published_ceilings.items()},
    }


def _add_responses(module: Any, imported: Imported) -> None:
    from hdmf.data_utils import DataChunkIterator
    from pynwb import TimeSeries

    values = imported.values

    def rows() -> Iterator[npt.NDArray[Any]]:
        for block in row_blocks(values.shape, values.dtype.itemsize):
            yield from np.asarray(values[block, slice(0, values.shape[1])])

    times = imported.presentations.get("time", pd.Series(np.arange(values.shape[0], dtype=float)))
    module.add(
        TimeSeries(
            name="responses",
            description="(presentation, neuroid), or (presentation, neuroid, time bin)",
            data=DataChunkIterator(data=rows(), maxshape=values.shape, dtype=values.dtype, buffer_size=64),
            unit=imported.about.get("units") or "a.u.",
            timestamps=np.asarray(times, np.float64),
            comments="timestamps count presentations where no time is known"
            if "time" not in imported.presentations
            else "",
        )
    )


def _add_table(module: Any, name: str, table: pd.DataFrame) -> None:
    from hdmf.common import DynamicTable, VectorData

    columns = []
    for column in table.columns:
        values = table[column].to_numpy()
        if values.dtype.kind not in "biuf":
            values = np.array(["" if pd.isna(one) else str(one) for one in values.tolist()], object)
        columns.append(VectorData(name=str(column), description=str(column), data=values.tolist()))
    module.add(DynamicTable(name=name, description=f"a row for each of the {name}", columns=columns))


def _read_table(group: Any) -> pd.DataFrame:
    names = group.attrs["colnames"]
    columns = {}
    for name in names:
        stored = group[name]
        values = stored.asstr()[:] if stored.dtype.kind == "O" else stored[:]
        columns[str(name)] = values
    return pd.DataFrame(columns)
