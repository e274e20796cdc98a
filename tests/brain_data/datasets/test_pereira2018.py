"""Pereira 2018 as Brain-Score keeps it, written with a known truth: its own name, and its layout under another."""

import numpy as np
import pytest

from brodmann import UserError
from brodmann.brain_data.catalogue import add_dataset, dataset_card, load_dataset
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import ReadOptions

pytest.importorskip("brainscore_core")
VALUES = np.random.default_rng(0).normal(size=(27, 6)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """27 sentences of two experiments; the last voxel was not recorded in the first of these."""
    from brainscore_core.supported_data_standards.brainio.assemblies import NeuronRecordingAssembly
    from brainscore_core.supported_data_standards.brainio.packaging import write_netcdf

    values = VALUES.copy()
    values[:12, 5] = np.nan
    n = len(values)
    coordinates = {
        "stimulus_id": ("presentation", [f"{i}" for i in range(n)]),
        "sentence": ("presentation", [f"Sentence {i}." for i in range(n)]),
        "story": ("presentation", [f"story{i // 6}" for i in range(n)]),
        "passage_label": ("presentation", [f"passage{i // 3}" for i in range(n)]),
        "experiment": ("presentation", ["243sentences"] * 12 + ["384sentences"] * 15),
        "neuroid_id": ("neuroid", [f"v{i}" for i in range(6)]),
        "subject": ("neuroid", ["018"] * 3 + ["199"] * 3),
    }
    (tmp_path / "pereira").mkdir()
    assembly = NeuronRecordingAssembly(values, coords=coordinates, dims=("presentation", "neuroid"))
    write_netcdf(assembly, tmp_path / "pereira" / "assy_Pereira2018_language.nc")
    return tmp_path / "pereira"


def read(path, **options):
    return read_recording(path, ReadOptions(**options), RECORDING_FORMATS["pereira2018"])


def test_an_experiment_is_read_with_its_voxels_and_its_published_ceiling(folder):
    assert (
        recognized(folder).name == recognized(folder / "assy_Pereira2018_language.nc").name == "pereira2018"
    )
    found = read(folder, task="243sentences")
    np.testing.assert_array_equal(found.values, VALUES[:12, :5])
    assert found.neuroids["subject"].tolist() == ["018"] * 3 + ["199"] * 2
    assert found.stimuli["sentence"].tolist() == [f"Sentence {i}." for i in range(12)]
    assert found.stimuli["passage"].tolist() == [f"passage{i // 3}" for i in range(12)]
    assert found.left_out == {"neuroids without a response to every stimulus": 1}
    one = read(folder, task="384sentences", subject="199")
    np.testing.assert_array_equal(one.values, VALUES[12:, 3:])
    assert found.published_ceilings["language"]["value"] == 0.354
    assert one.published_ceilings["language"]["value"] == 0.363


def test_the_ceilings_are_those_that_brain_score_tests_for():
    for name, published in (("243", 0.35378928), ("384", 0.36343748)):
        (ceiling,) = dataset_card(f"Pereira2018-{name}sentences").about()["published_ceilings"].values()
        assert abs(ceiling.value - published) < 0.0005
        assert f"Pereira2018.{name}sentences" in ceiling.source


def test_what_is_installed_under_another_name_keeps_the_ceiling(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    add_dataset("mine", folder, options=ReadOptions(task="384sentences"))
    data = load_dataset("mine")
    np.testing.assert_array_equal(data.responses.values, VALUES[12:])
    assert data.published_ceilings["language"].value == 0.363
    assert data.modality == "language"


def cut(folder):
    path = folder / "assy_Pereira2018_language.nc"
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (None, {}, "holds two experiments: say which by --task .243sentences or 384sentences."),
        (None, {"task": "180concepts"}, "holds two experiments: say which by --task"),
        (None, {"task": "243sentences", "subject": "200"}, "unknown subject '200'"),
        (cut, {"task": "243sentences"}, "damaged or not a BrainIO netCDF file"),
    ],
)
def test_what_is_wrong_is_one_line(spoil, options, message, folder):
    if spoil:
        spoil(folder)
    with pytest.raises(UserError, match=message) as caught:
        read(folder, **options)
    assert "\n" not in str(caught.value)
