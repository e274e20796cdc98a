"""The Allen Institute's sessions: NWB by another name, from a folder and from a server."""

import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from brodmann import UserError
from brodmann.brain_data.card import DATASETS
from brodmann.brain_data.catalogue import add_dataset, load_dataset
from brodmann.brain_data.datasets.allen_ecephys import AllenEcephys
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording
from brodmann.brain_data.imported import ReadOptions

if "nwb" not in RECORDING_FORMATS:
    pytest.skip("no format reads NWB", allow_module_level=True)
pytest.importorskip("pynwb")
SAID = {"events": "trials", "stimulus_column": "stimulus_id", "window": "70,170"}


@pytest.fixture
def folder(test_signals, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    place = tmp_path / "cache" / "session_715093703"
    place.mkdir(parents=True)
    shutil.copy(test_signals / "true-layouts" / "tiny.nwb", place / "session_715093703.nwb")
    return place.parent


def test_a_session_is_read_as_nwb_reads_it(folder, test_signals):
    add_dataset("allen-ecephys", folder, options=ReadOptions(**SAID))
    data = load_dataset("allen-ecephys")
    expected = read_recording(
        test_signals / "true-layouts" / "tiny.nwb", ReadOptions(**SAID), RECORDING_FORMATS["nwb"]
    )
    values = np.asarray(expected.values[slice(None), slice(None)])
    assert data.responses.shape == values.shape
    np.testing.assert_allclose(np.sort(data.responses.values.ravel()), np.sort(values.ravel()), rtol=1e-6)
    assert "Allen Institute terms of use" in data.license


def test_without_options_the_trials_are_the_natural_scenes_and_their_frames(folder, test_signals):
    found = DATASETS["allen-ecephys"].fetch.kind.read(folder, ReadOptions())
    with h5py.File(test_signals / "true-layouts" / "tiny.nwb") as file:
        frames = file["intervals/natural_scenes_presentations/frame"][:]
    assert found.presentations["stimulus_id"].tolist() == [f"{one:g}" for one in frames]
    assert found.said[0] == "session 715093703"
    assert found.about["bibtex"].startswith("@article{siegle2021")


def test_the_session_has_to_be_said_where_there_are_several(folder):
    shutil.copytree(folder / "session_715093703", folder / "session_1")
    (folder / "session_1" / "session_715093703.nwb").rename(folder / "session_1" / "session_1.nwb")
    with pytest.raises(UserError, match=r"there are 2 sessions \(1, 715093703\): say which by --session"):
        add_dataset("allen-ecephys", folder, options=ReadOptions(**SAID))
    with pytest.raises(UserError, match="is not laid out as 'allen-ecephys' is: it has no session_715093703"):
        add_dataset("allen-ecephys", folder.parent)


def test_a_session_is_downloaded_by_its_number(folder, server, monkeypatch):
    name = "session_715093703/session_715093703.nwb"
    server.files[f"/{name}"] = (folder / name).read_bytes()
    card = replace(AllenEcephys.card, options={"address": f"{server.address}/{{name}}"})
    monkeypatch.setattr(AllenEcephys, "card", card)
    add_dataset("allen-ecephys", options=ReadOptions(session="715093703", **SAID))
    assert load_dataset("allen-ecephys").responses is not None
    with pytest.raises(UserError, match="say the session to download by --session"):
        add_dataset("allen-ecephys", options=ReadOptions(**SAID))
