"""NWB sessions, written with pynwb and read back: spikes as they are counted by hand, and files that are broken."""

import h5py
import numpy as np
import pytest
from PIL import Image

from brodmann import load_dataset
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.importing import install_recording
from brodmann.brain_data.read_options import ReadOptions
from brodmann.errors import UserError

from .recordings_of_cells import (
    add_electrodes,
    add_presentations,
    add_trials,
    add_units,
    counted,
    generated,
    new_session,
    written,
)


def read(path, **options):
    return read_recording(path, ReadOptions(**options), RECORDING_FORMATS["nwb"])


def everything(values):
    return values[0 : values.shape[0], 0 : values.shape[1]]


@pytest.fixture(scope="module")
def made(test_signals):
    return generated(test_signals)


@pytest.fixture(scope="module")
def session_file(made, tmp_path_factory):
    """Ten cells on four electrodes; two are mua, one is noise; labels of pictures and of trials."""
    pytest.importorskip("pynwb")
    session = new_session()
    groups = add_electrodes(session)
    end = made["onsets"][-1] + 1
    add_units(
        session,
        made,
        groups=groups,
        quality=["good"] * 7 + ["mua", "mua", "noise"],
        intervals=[[[0.0, end]]] * 9 + [[[0.0, 20.0]]],
        columns={"isi_violations": np.arange(10) / 100},
    )
    category = np.where(made["stimulus"] < 10, "face", "house")
    add_trials(
        session,
        made,
        columns={"category": category, "run": np.arange(160) // 80, "valid": np.arange(160) % 10 > 0},
    )
    return written(session, tmp_path_factory.mktemp("nwb") / "session.nwb")


def test_rates_are_the_counts_of_numpy_exactly(session_file, made):
    found = read(session_file, quality="all")
    expected = counted(made["spike_times"], made["onsets"], 0.07, 0.17)
    values = everything(found.values)
    inside = made["onsets"] + 0.17 <= 20
    np.testing.assert_array_equal(values[:, :9], (expected / 0.1).astype(np.float32)[:, :9])
    np.testing.assert_array_equal(values[inside, 9], (expected / 0.1).astype(np.float32)[inside, 9])
    assert np.isnan(values[~inside, 9]).all()
    assert found.left_out == {"responses of units outside their obs_intervals (NaN)": int((~inside).sum())}
    assert values.dtype == found.values.dtype == np.float32
    assert found.about["units"] == "spikes/s"
    np.testing.assert_array_equal(found.values[20:50, 3:5], values[20:50, 3:5])


def test_the_window_of_default_shows_the_rates_that_made_the_spikes(session_file, made):
    found = read(session_file, quality="all")
    values = everything(found.values)[:, :9]
    mean = np.stack(
        [values[found.presentations["stimulus_id"] == f"im{one:02d}"].mean(axis=0) for one in range(20)]
    )
    assert np.corrcoef(mean.ravel(), made["rate"][:, :9].ravel())[0, 1] == pytest.approx(0.985, abs=0.01)
    assert (
        "the window is that of default, 70 to 170 ms after onset: others by --window or --bins" in found.said
    )


def test_responses_in_time_have_their_bins(session_file, made):
    found = read(session_file, quality="good", bins="-100,300,20")
    assert found.values.shape == (160, 7, 20)
    assert found.time_bins["time_bin_start"].tolist() == list(range(-100, 300, 20))
    assert found.time_bins["time_bin_end"].tolist() == list(range(-80, 320, 20))
    for i, start in enumerate(found.time_bins["time_bin_start"] / 1000):
        expected = counted(made["spike_times"][:7], made["onsets"], start, start + 0.02) / 0.02
        np.testing.assert_allclose(found.values[0:160, 0:7][:, :, i], expected, rtol=1e-6)


def test_units_have_their_places_and_labels(session_file):
    found = read(session_file)
    neuroids = found.neuroids
    assert neuroids["neuroid_id"].tolist() == [str(100 + i) for i in range(9)]
    assert found.left_out["units of quality noise"] == 1
    assert "units of quality good, mua are in; fewer by --quality" in found.said
    assert neuroids["region"].tolist() == (["V4", "IT"] * 5)[:9]
    assert neuroids[["x", "y", "z"]].iloc[5].tolist() == [1.0, 10.0, -1.0]
    assert set(neuroids["subject"]) == {"m1"}
    assert neuroids["isi_violations"].tolist() == [i / 100 for i in range(9)]
    assert neuroids["probe"].iloc[:2].tolist() == ["probeV4", "probeIT"]
    assert "positions of electrodes reach 30 and are taken to be mm" in found.said
    assert found.about["species"] == "Macaca mulatta"
    assert found.about["source"] == "doi:10.1000/xyz"


def test_presentations_and_stimuli_have_what_the_trials_say(session_file, made):
    found = read(session_file)
    assert found.stimuli.columns.tolist() == ["stimulus_id", "category"]
    assert found.stimuli["stimulus_id"].tolist() == [f"im{i:02d}" for i in range(20)]
    assert found.stimuli["category"].tolist() == ["face"] * 10 + ["house"] * 10
    shown = found.presentations
    assert shown["stimulus_id"].tolist() == [f"im{i:02d}" for i in made["stimulus"]]
    assert shown.groupby("stimulus_id")["repetition"].apply(list).tolist() == [list(range(8))] * 20
    np.testing.assert_allclose(shown["time"], made["onsets"])
    assert shown["run"].tolist() == [0] * 80 + [1] * 80
    assert set(shown["session"]) == {"ses-01"}
    assert (
        "'valid' is false of 16 of 160 presentations, which are in; without them: --where valid=true"
        in found.said
    )


def test_trials_are_chosen_by_what_they_say(session_file):
    found = read(session_file, where="valid=true,category=face,run=1")
    assert set(found.stimuli["category"]) == {"face"}
    assert set(found.presentations["run"]) == {1}
    asked = next(
        n for reason, n in found.left_out.items() if reason.startswith("presentations not asked for")
    )
    assert asked == 160 - len(found.presentations) == 160 - found.values.shape[0]


def test_trials_are_left_out_by_what_they_say(session_file):
    found = read(session_file, where="category!=face,stimulus_id!=im12")
    assert found.stimuli["stimulus_id"].tolist() == [f"im{i}" for i in (10, 11, *range(13, 20))]


def test_stimuli_may_lie_beside_the_file(session_file, tmp_path):
    for i in range(20):
        Image.new("RGB", (4, 3), (i, 0, 0)).save(tmp_path / f"im{i:02d}.png")
    found = read(session_file, stimuli=str(tmp_path))
    assert {one: path.name for one, path in found.pictures.items()} == {
        f"im{i:02d}": f"im{i:02d}.png" for i in range(20)
    }
    assert set(found.stimuli) == {"stimulus_id", "filename", "category"}
    table = tmp_path / "texts.csv"
    table.write_text("stimulus_id,word,category\n" + "".join(f"im{i:02d},w{i},c{i}\n" for i in range(21)))
    found = read(session_file, stimuli=str(table))
    assert found.stimuli["word"].tolist() == [f"w{i}" for i in range(21)]
    assert found.stimuli["category"].tolist() == [f"c{i}" for i in range(21)]
    (tmp_path / "im07.png").unlink()
    with pytest.raises(UserError, match="1 of 20 stimuli have no picture .*'im07'"):
        read(session_file, stimuli=str(tmp_path))


def test_a_region_is_chosen_by_its_name(session_file):
    found = read(session_file, region="IT", quality="good")
    assert set(found.neuroids["region"]) == {"IT"}
    assert found.left_out["neuroids of other regions"] == 4
    assert found.values.shape == (160, 3)
    whole = read(session_file, quality="good")
    np.testing.assert_array_equal(everything(found.values), everything(whole.values)[:, [1, 3, 5]])


def test_a_table_of_ones_own_takes_the_place_of_trials(session_file, tmp_path):
    table = tmp_path / "onsets.tsv"
    table.write_text("onset\tstimulus_id\tword\n1.0\t001\tdog\n2.5\tnull\tcat\n4\t001\tdog\n")
    found = read(session_file, events=str(table), window="0,500")
    assert found.presentations["stimulus_id"].tolist() == ["001", "null", "001"]
    assert found.stimuli["word"].tolist() == ["dog", "cat"]
    with pytest.raises(UserError, match="--events gone.csv: there is no such file"):
        read(session_file, events="gone.csv")


def test_the_true_layout_enters(test_signals):
    path = test_signals / "true-layouts" / "tiny.nwb"
    assert recognized(path).name == "nwb"
    with pytest.raises(
        UserError, match="stimulus tables natural_scenes_presentations, trials: say which by --events"
    ):
        read(path)
    trials = read(path, events="trials", quality="good")
    scenes = read(path, events="natural_scenes", quality="quality=good")
    np.testing.assert_array_equal(everything(trials.values), everything(scenes.values))
    assert (
        "the stimulus is named by the column frame of tiny.nwb: natural_scenes_presentations" in scenes.said
    )
    named = trials.presentations["stimulus_id"].str.removeprefix("im").tolist()
    assert named == scenes.presentations["stimulus_id"].tolist()
    with h5py.File(path) as file:
        ends, times = file["units/spike_times_index"][:], file["units/spike_times"][:]
        spikes = np.split(times, ends[:-1])[1:]
        expected = counted(spikes, file["intervals/trials/start_time"][:], 0.07, 0.17)
    np.testing.assert_array_equal(everything(trials.values), (expected / 0.1).astype(np.float32))


def test_recognized_by_content_and_not_by_name_alone(session_file, tmp_path):
    assert recognized(session_file).name == "nwb"
    (tmp_path / "copy.h5").write_bytes(session_file.read_bytes())
    assert recognized(tmp_path / "copy.h5").name == "nwb"
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["a"] = 1
    (tmp_path / "text.txt").write_text("x")
    kind = RECORDING_FORMATS["nwb"]
    assert not any(kind.recognizes(tmp_path / one) for one in ("other.h5", "text.txt", ".", "absent"))


def allen_session(made, path, *, bad=None):
    """In the layout of the Allen Institute: peak channels, CCF positions in micrometers, several tables, quality."""
    pytest.importorskip("pynwb")
    session = new_session("715093703")
    device = session.create_device("probeA")
    group = session.create_electrode_group("probeA", description="d", location="", device=device)
    ccf = ("anterior_posterior_ccf_coordinate", "dorsal_ventral_ccf_coordinate", "left_right_ccf_coordinate")
    for name in ccf:
        session.add_electrode_column(name, name)
    for i in range(4):
        session.add_electrode(
            id=850 + i,
            location=["VISp", "VISl", "root", "VISp"][i],
            group=group,
            **dict(zip(ccf, (8000.0 + i, 500.0, 9000.0), strict=True)),
        )
    add_units(
        session,
        made,
        quality=["good"] * 9 + ["noise"],
        columns={
            "peak_channel_id": [850 + i % 4 for i in range(10)],
            "isi_violations": np.linspace(0, 1, 10),
            "presence_ratio": np.full(10, 0.99),
        },
    )
    n = len(made["onsets"])
    frames = np.where(made["stimulus"] == 19, -1.0, made["stimulus"])
    add_presentations(
        session,
        "natural_scenes_presentations",
        made,
        frame=frames,
        stimulus_name=["natural_scenes"] * n,
        stimulus_block=[3.0] * n,
    )
    add_presentations(
        session,
        "static_gratings_presentations",
        made,
        orientation=made["stimulus"] % 4 * 30.0,
        contrast=np.where(made["stimulus"] == 7, np.nan, 0.8),
        stimulus_name=["static_gratings"] * n,
    )
    add_presentations(session, "spontaneous_presentations", {"onsets": [0.0], "offsets": [1.0]})
    if bad is not None:
        add_presentations(
            session, "invalid_times", {"onsets": [bad[0]], "offsets": [bad[1]]}, tags=["probeA"]
        )
    written(session, path)
    with h5py.File(path, "r+") as file:
        file["general/extracellular_ephys/electrodes/location"][2] = ""
    return path


def test_a_session_as_the_allen_institute_has_them(made, tmp_path):
    path = allen_session(made, tmp_path / "allen.nwb", bad=(10.0, 12.0))
    with pytest.raises(
        UserError, match="natural_scenes_presentations, static_gratings_presentations: say which"
    ):
        read(path)
    found = read(path, events="natural_scenes")
    assert found.neuroids["region"].tolist() == (["VISp", "VISl", "unknown", "VISp"] * 3)[:9]
    assert found.neuroids[["x", "y", "z"]].iloc[1].tolist() == pytest.approx([8.001, 0.5, 9.0])
    assert found.about["space"] == "Allen CCF"
    assert {"isi_violations", "presence_ratio", "peak_channel_id"} <= set(found.neuroids)
    assert set(found.presentations["session"]) == {"715093703"}
    assert found.stimuli["stimulus_id"].tolist() == ["-1", *map(str, range(19))]
    bad = (made["onsets"] + 0.17 > 10) & (made["onsets"] + 0.07 < 12)
    values = everything(found.values)
    assert np.isnan(values[bad]).all()
    assert np.isfinite(values[~bad]).all()
    assert found.left_out == {
        "units of quality noise": 1,
        "presentations in invalid_times (NaN)": int(bad.sum()),
    }
    assert any("from its first spike to its last" in one for one in found.said)
    install_recording("scenes", found)
    responses = load_dataset("scenes").responses
    assert responses.shape == (int((~bad).sum()), 9)
    np.testing.assert_allclose(responses["isi_violations"].values, np.linspace(0, 1, 10)[:9])
    gratings = read(path, events="static_gratings", stimulus_column="orientation,contrast", region="VISp")
    assert gratings.stimuli["stimulus_id"].tolist()[:2] == [
        "orientation-0_contrast-0.8",
        "orientation-30_contrast-0.8",
    ]
    assert gratings.left_out["presentations without a stimulus"] == 8
    with pytest.raises(
        UserError, match="which column names the stimulus by --stimulus-column: it has orientation,"
    ):
        read(path, events="static_gratings")
    with pytest.raises(
        UserError, match=r"unknown table of presentations in allen.nwb \(--events\) 'natural_movie'"
    ):
        read(path, events="natural_movie")


def test_pictures_inside_the_file_become_pictures(made, tmp_path):
    pytest.importorskip("pynwb")
    from pynwb.base import Images
    from pynwb.image import GrayscaleImage, OpticalSeries, RGBImage

    rng = np.random.default_rng(0)
    named = {f"im{i:02d}.png": rng.integers(0, 256, (6, 9, 3), dtype=np.uint8) for i in range(20)}
    session = new_session()
    add_units(session, made)
    add_trials(session, made)
    session.add_stimulus_template(
        Images(
            name="shown", description="d", images=[RGBImage(name=one, data=at) for one, at in named.items()]
        )
    )
    found = read(written(session, tmp_path / "named.nwb"))
    assert found.stimuli["filename"].tolist() == [found.pictures[f"im{i:02d}"].name for i in range(20)]
    np.testing.assert_array_equal(np.asarray(Image.open(found.pictures["im07"])), named["im07.png"])
    assert "20 pictures of the template shown" in found.said

    stack = rng.random((19, 5, 7))
    session = new_session()
    add_units(session, made)
    add_presentations(session, "natural_scenes_presentations", made, frame=made["stimulus"].astype(float))
    session.add_stimulus_template(
        OpticalSeries(
            name="natural_scenes",
            data=stack,
            unit="n/a",
            rate=1.0,
            distance=0.1,
            field_of_view=[0.1, 0.1],
            orientation="lower left",
        )
    )
    session.add_stimulus_template(
        Images(name="masks", description="d", images=[GrayscaleImage(name="3", data=np.zeros((4, 4)))])
    )
    found = read(written(session, tmp_path / "stack.nwb"))
    assert set(found.pictures) == {str(i) for i in range(19)}
    assert "19 pictures of the template natural_scenes" in found.said
    assert found.stimuli["stimulus_id"].tolist() == [str(i) for i in range(19)]
    assert found.left_out == {"presentations of stimuli without a picture": 8}
    assert len(found.presentations) == found.values.shape[0] == 152
    np.testing.assert_array_equal(
        np.asarray(Image.open(found.pictures["3"])), np.round(stack[3] * 255).astype(np.uint8)
    )
    folder = found.pictures["3"].parent
    values = found.values
    del found
    assert folder.is_dir()
    assert values[0:1, 0:1].shape == (1, 1)
    del values
    assert not folder.exists()


def test_labels_of_trials_and_of_units_may_have_one_name(made, tmp_path):
    pytest.importorskip("pynwb")
    session = new_session()
    add_units(
        session, made, quality=["good"] * 10, columns={"depth": list(range(10)), "presentation": ["p"] * 10}
    )
    numbers = list(range(160))
    add_trials(session, made, columns={"depth": numbers, "x": numbers, "region": ["left", "right"] * 80})
    found = read(written(session, tmp_path / "session.nwb"), region="IT")
    install_recording("cells-apart", found)
    responses = load_dataset("cells-apart").responses
    assert responses["depth"].values.tolist() == responses["trial_x"].values.tolist() == numbers
    assert responses["unit_depth"].values.tolist() == list(range(10))
    assert set(responses["trial_region"].values) == {"left", "right"}
    assert set(responses["region"].values) == {"IT"}


def test_a_series_of_numbers_says_when_which_picture_was_shown(made, tmp_path):
    pytest.importorskip("pynwb")
    from pynwb.base import ImageReferences, Images
    from pynwb.image import GrayscaleImage, IndexSeries

    rng = np.random.default_rng(0)
    pictures = [
        GrayscaleImage(name=f"p{99 - i}", data=rng.integers(0, 256, (4, 5), dtype=np.uint8))
        for i in range(20)
    ]
    session = new_session()
    add_units(session, made)
    stack = Images(
        name="stack",
        description="d",
        images=pictures,
        order_of_images=ImageReferences(name="order_of_images", data=pictures),
    )
    session.add_stimulus_template(stack)
    session.add_stimulus(
        IndexSeries(
            name="shown",
            data=made["stimulus"].astype(np.uint32),
            timestamps=made["onsets"],
            indexed_images=stack,
            unit="N/A",
        )
    )
    found = read(written(session, tmp_path / "index.nwb"))
    assert found.presentations["stimulus_id"].tolist() == [str(i) for i in made["stimulus"]]
    for i in (0, 3, 19):
        np.testing.assert_array_equal(np.asarray(Image.open(found.pictures[str(i)])), pictures[i].data)
    expected = (counted(made["spike_times"], made["onsets"], 0.07, 0.17) / 0.1).astype(np.float32)
    np.testing.assert_array_equal(everything(found.values), expected)
    assert read(tmp_path / "index.nwb", events="shown").values.shape == (160, 10)


def test_a_session_becomes_a_data_set(made, tmp_path):
    """With its pictures, positions and repetitions; what lies outside the recording is gone, and counted."""
    pytest.importorskip("pynwb")
    from pynwb.base import Images
    from pynwb.image import RGBImage

    rng = np.random.default_rng(0)
    session = new_session()
    late = {
        "onsets": np.r_[made["onsets"], 9999.0],
        "offsets": np.r_[made["offsets"], 9999.2],
        "stimulus": np.r_[made["stimulus"], 3],
    }
    add_units(session, made, groups=add_electrodes(session))
    add_trials(session, late)
    pixels = {f"im{i:02d}.png": rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) for i in range(20)}
    session.add_stimulus_template(
        Images(
            name="shown", description="d", images=[RGBImage(name=one, data=at) for one, at in pixels.items()]
        )
    )
    path = written(session, tmp_path / "session.nwb")
    install_recording("cells-of-nwb", read(path, where="stimulus_id!=im19"))
    dataset = load_dataset("cells-of-nwb")
    assert dataset.modality == "vision"
    assert dataset.has_stimuli
    assert dataset.responses.shape == (152, 10)
    assert set(dataset.responses["region"].values) == {"V4", "IT"}
    expected = counted(made["spike_times"], made["onsets"], 0.07, 0.17)[made["stimulus"] != 19] / 0.1
    np.testing.assert_allclose(dataset.responses.values, expected, rtol=1e-6)
    np.testing.assert_allclose(dataset.responses["y"].values, [0, 10, 20, 30, 0, 10, 20, 30, 0, 10])
    paths = dataset.stimuli.stimulus_paths
    np.testing.assert_array_equal(np.asarray(Image.open(paths["im05"])), pixels["im05.png"])


# ---- fluorescence ----------------------------------------------------------------------------------------------------


def fluorescence(
    path,
    data,
    *,
    rate=10.0,
    timestamps=None,
    masks="image",
    spacing=(2e-6, 3e-6),
    series=1,
    trials=True,
    **stored,
):
    """Regions of interest whose masks and signals are known; trials of two pictures at 1, 3, 5 ... s."""
    pytest.importorskip("pynwb")
    from pynwb.ophys import DfOverF, ImageSegmentation, OpticalChannel

    session = new_session()
    device = session.create_device("microscope")
    channel = OpticalChannel(name="c", description="d", emission_lambda=500.0)
    plane = session.create_imaging_plane(
        name="plane",
        optical_channel=channel,
        description="d",
        device=device,
        excitation_lambda=900.0,
        indicator="GCaMP6",
        location="VISp",
        **({} if spacing is None else {"grid_spacing": list(spacing), "grid_spacing_unit": "meters"}),
    )
    segmentation = ImageSegmentation()
    module = session.create_processing_module("ophys", "d")
    module.add(segmentation)
    regions = segmentation.create_plane_segmentation(name="cells", description="d", imaging_plane=plane)
    regions.add_column("iscell", "whether it is a cell")
    for i in range(data.shape[1]):
        if masks == "image":
            mask = np.zeros((20, 30))
            mask[i : i + 3, 2 * i] = 1
            regions.add_roi(image_mask=mask, iscell=i % 2 == 0)
        else:
            regions.add_roi(pixel_mask=[(i, 2 * i, 1.0), (i + 2, 2 * i, 1.0)], iscell=i % 2 == 0)
    rois = regions.create_roi_table_region(description="all", region=list(range(data.shape[1])))
    times = {"rate": rate} if timestamps is None else {"timestamps": timestamps}
    dff = DfOverF()
    module.add(dff)
    for i in range(series):
        dff.create_roi_response_series(name=f"plane{i}", data=data, rois=rois, unit="dF/F", **times, **stored)
    if trials:
        session.add_trial_column("stimulus_id", "s")
        for i, onset in enumerate(np.arange(1, 19, 2.0)):
            session.add_trial(start_time=onset, stop_time=onset + 0.5, stimulus_id="ab"[i % 2])
    return written(session, path)


@pytest.mark.parametrize("masks", ["image", "pixel"])
def test_fluorescence_is_the_mean_of_a_window(tmp_path, masks):
    data = np.random.default_rng(1).normal(size=(170, 5))
    found = read(fluorescence(tmp_path / "f.nwb", data, masks=masks), window="0,500")
    times = np.arange(170) / 10
    onsets = np.arange(1, 19, 2.0)
    expected = np.full((9, 5), np.nan)
    for i, onset in enumerate(onsets[:8]):
        expected[i] = data[(times >= onset - 1e-9) & (times < onset + 0.5 - 1e-9)].mean(axis=0)
    np.testing.assert_allclose(everything(found.values), expected, rtol=1e-5)
    assert found.left_out == {"presentations outside the recording (NaN)": 1}  # the one at 17 s
    at = np.array([[(i + 1) * 2e-3, 2 * i * 3e-3, 0] for i in range(5)])
    np.testing.assert_allclose(found.neuroids[["x", "y", "z"]], at, atol=1e-12)
    assert set(found.neuroids["region"]) == {"VISp"}
    assert found.neuroids["iscell"].tolist() == [True, False] * 2 + [True]
    assert found.about["units"] == "dF/F"
    assert found.about["technique"] == "optical physiology"
    install_recording("plane", found)
    responses = load_dataset("plane").responses
    np.testing.assert_allclose(responses.values, expected[:8], rtol=1e-5)
    assert responses["iscell"].values.astype(bool).tolist() == [True, False] * 2 + [True]


def test_whole_numbers_come_in_the_unit_that_the_file_names(tmp_path):
    """NWB: data x conversion + offset are in the unit."""
    data = np.random.default_rng(1).integers(0, 4000, (170, 5)).astype(np.int16)
    plain = read(fluorescence(tmp_path / "p.nwb", data), window="0,500")
    scaled = read(fluorescence(tmp_path / "f.nwb", data, conversion=0.25, offset=-3.0), window="0,500")
    np.testing.assert_allclose(everything(scaled.values), everything(plain.values) * 0.25 - 3, rtol=1e-5)


def test_fluorescence_in_time_of_chosen_cells(tmp_path):
    data = np.random.default_rng(2).normal(size=(200, 6)).astype(np.float32)
    path = fluorescence(tmp_path / "f.nwb", data, spacing=None, timestamps=np.arange(200) / 10 + 0.05)
    found = read(path, bins="-500,1000,500", quality="iscell=true")
    assert found.values.shape == (9, 3, 3)
    assert found.left_out["units of iscell False"] == 3
    times, onset = np.arange(200) / 10 + 0.05, 5.0
    for k, start in enumerate((-0.5, 0, 0.5)):
        expected = data[(times >= onset + start) & (times < onset + start + 0.5)][:, [0, 2, 4]].mean(axis=0)
        np.testing.assert_allclose(found.values[2:3, 0:3][0, :, k], expected, rtol=1e-5)
    np.testing.assert_array_equal(found.values[2:4, 1:3], everything(found.values)[2:4, 1:3])
    assert {"x_pixel", "y_pixel"} <= set(found.neuroids)
    assert "x" not in found.neuroids


def test_what_is_wrong_with_fluorescence_is_said(tmp_path):
    data = np.random.default_rng(2).normal(size=(200, 3))
    path = fluorescence(tmp_path / "two.nwb", data, series=2)
    one, two = "processing/ophys/DfOverF/plane0", "processing/ophys/DfOverF/plane1"
    with pytest.raises(UserError, match=f"two.nwb holds {one}, {two}: say which by --array"):
        read(path, window="0,500")
    assert read(path, window="0,500", array="plane1").values.shape == (9, 3)
    with pytest.raises(UserError, match="--array plane7 must be one of processing"):
        read(path, array="plane7")
    path = fluorescence(tmp_path / "one.nwb", data)
    for options, message in (
        ({}, "say the window of a response by --window A,B"),
        ({"bins": "0,100,10"}, "a window of 10 ms is shorter than a sample of 100 ms"),
    ):
        with pytest.raises(UserError, match=message):
            read(path, **options)
    stamps = np.arange(200) / 10
    stamps[50] = 7.0
    path = fluorescence(tmp_path / "stamps.nwb", data, timestamps=stamps)
    with pytest.raises(UserError, match=r"its times do not ascend \(sample 51, 5.1 s after 7 s\)"):
        read(path, window="0,500")
    with h5py.File(path, "r+") as file:
        series = file["processing/ophys/DfOverF/plane0"]
        del series["data"]
        series["data"] = data.T
    with pytest.raises(UserError, match="they lie the other way round"):
        read(path, window="0,500")


# ---- files that are broken -------------------------------------------------------------------------------------------


def broken(session_file, tmp_path, change):
    path = tmp_path / "broken.nwb"
    path.write_bytes(session_file.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def put(file, name, values):
    attributes = dict(file[name].attrs)
    del file[name]
    file[name] = values
    file[name].attrs.update(attributes)


def swapped(file):
    times = file["units/spike_times"][:]
    times[[40, 41]] = times[[41, 40]]
    put(file, "units/spike_times", times)


def with_nan(file):
    times = file["units/spike_times"][:]
    times[7] = np.nan
    put(file, "units/spike_times", times)


def external(file):
    del file["intervals/trials"]
    file["intervals/trials"] = h5py.ExternalLink("/etc/other.nwb", "/intervals/trials")


def elsewhere(file):
    del file["units/spike_times"]
    file["units"].create_dataset(
        "spike_times", (10,), "f8", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
    )


def hollow(file):
    del file["units/spike_times"]
    file["units"].create_dataset("spike_times", (10**11,), "f8", chunks=(1000,))


def in_one_piece(file):
    del file["units/spike_times"]
    file["units"].create_dataset(
        "spike_times", (10**8,), "f8", chunks=(10**8,), maxshape=(None,), compression="gzip"
    )
    file["units/spike_times"].id.write_direct_chunk((0,), bytes(1 << 20), 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (hollow, "units/spike_times says that it holds 745.1 GiB, and 0.000 GiB are there: refused"),
        (in_one_piece, "units/spike_times is stored in pieces of more than 256 MiB: refused"),
        (
            lambda file: file.__delitem__("units/spike_times"),
            "units have no spike_times .*no spikes to count",
        ),
        (
            lambda file: [
                put(file, "units/spike_times", np.empty(0)),
                put(file, "units/spike_times_index", np.zeros(10, np.uint8)),
            ],
            "none of 10 units has a spike",
        ),
        (lambda file: file.__delitem__("units"), "holds no units with spikes and no fluorescence"),
        (
            lambda file: file.__delitem__("intervals/trials"),
            "has no table of trials or presentations: give one by",
        ),
        (
            lambda file: (
                put(file, "intervals/trials/start_time", np.arange(160) + 5000.0)
                or put(file, "intervals/trials/stop_time", np.arange(160) + 5001.0)
            ),
            r"all 160 presentations \(onsets from 5000 to 5159 s\) lie outside the recording",
        ),
        (
            lambda file: put(file, "intervals/trials/stop_time", file["intervals/trials/stop_time"][:] - 1),
            "160 presentations end before they start",
        ),
        (
            lambda file: put(file, "intervals/trials/start_time", np.full(160, np.nan)),
            "no presentation is left of 160",
        ),
        (
            lambda file: file.__delitem__("intervals/trials/start_time"),
            "has no table of trials or presentations",
        ),
        (
            swapped,
            r"spike_times of unit 100 are not in order \(spike 41, .* s, follows one .* ms later\): sort them",
        ),
        (with_nan, "spike_times of unit 100 are not in order .*is no number"),
        (
            lambda file: put(
                file, "units/spike_times", (file["units/spike_times"][:] * 30000).astype(np.int64)
            ),
            "spike_times are int64: NWB keeps them in s, not in samples",
        ),
        (
            lambda file: put(file, "units/spike_times_index", np.arange(10)[::-1].astype(np.uint16)),
            "spike_times_index is damaged",
        ),
        (
            lambda file: put(file, "units/electrodes", np.full(10, 77)),
            r"a unit names electrode 77, and there are 4",
        ),
        (
            lambda file: put(file, "units/obs_intervals", np.tile([5.0, 1.0], (10, 1))),
            "obs_intervals of unit 100 end before they start",
        ),
        (lambda file: put(file, "units/id", np.zeros(10, int)), "two units have the id 0"),
        (
            lambda file: put(file, "units/quality", ["good"]),
            "column quality has 1 values, and the table 10 rows",
        ),
        (lambda file: file.__delitem__("units/id"), "holds no units with spikes"),
        (lambda file: file.attrs.__setitem__("nwb_version", "1.0"), "says no version of NWB 2"),
        (external, "intervals/trials is a link into another file"),
        (elsewhere, "units/spike_times keeps its numbers in another file"),
    ],
)
def test_a_broken_file_is_one_line(session_file, tmp_path, change, message):
    path = broken(session_file, tmp_path, change)
    with pytest.raises(UserError, match=message) as error:
        everything(read(path).values)
    assert "\n" not in str(error.value)
    assert "broken.nwb" in str(error.value)


def test_files_that_are_cut_off_are_no_hdf5_or_of_nwb_1(session_file, tmp_path):
    path = tmp_path / "cut.nwb"
    path.write_bytes(session_file.read_bytes()[:-5000])
    assert recognized(path).name == "nwb"
    with pytest.raises(UserError, match="cut.nwb is no whole HDF5 file: cut off or damaged"):
        read(path)
    path.write_text("nothing")
    with pytest.raises(UserError, match="cut.nwb is no whole HDF5 file"):
        read(path)
    with h5py.File(tmp_path / "old.nwb", "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
        file.create_group("epochs")
    assert recognized(tmp_path / "old.nwb").name == "nwb"
    with pytest.raises(UserError, match=r"old.nwb is of NWB 1 \(NWB-1.0.6\): only NWB 2 is read"):
        read(tmp_path / "old.nwb")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quality": "great"}, r"unknown quality of units in session.nwb: units \(--quality\) 'great'"),
        ({"quality": "nothing=1"}, r"unknown column of session.nwb: units \(--quality\) 'nothing'"),
        ({"stimulus_column": "picture"}, "unknown column of session.nwb: trials 'picture'"),
        ({"region": "V1"}, "unknown region in session.nwb: units 'V1'"),
        ({"region_column": "area"}, r"\(--region-column\) 'area'"),
        ({"where": "valid"}, "--where must be COLUMN=VALUE"),
        ({"where": "category=cat"}, "unknown value of category"),
        ({"window": "70,170", "bins": "0,100,10"}, "say one of them"),
        ({"bins": "0,100,200"}, "the window of 100 ms is shorter than a bin of 200 ms"),
        ({"tr": "2"}, "unknown option of nwb '--tr'"),
    ],
)
def test_what_cannot_be_asked_is_said(session_file, options, message):
    with pytest.raises(UserError, match=message) as error:
        read(session_file, **options)
    assert "\n" not in str(error.value)


def test_regions_that_disagree_are_asked_for(made, tmp_path):
    pytest.importorskip("pynwb")
    session = new_session()
    groups = add_electrodes(session)
    add_units(session, made, groups=groups, columns={"region": ["V4"] * 10})
    add_trials(session, made)
    path = written(session, tmp_path / "two.nwb")
    with pytest.raises(UserError, match=r"disagree \(unit 101: V4, IT\): say which .* by --region-column"):
        read(path)
    assert set(read(path, region_column="region").neuroids["region"]) == {"V4"}
    assert set(read(path, region_column="location").neuroids["region"]) == {"V4", "IT"}


SPOILED = {
    "gone": lambda stored: None,
    "a scalar": lambda stored: 3.0,
    "empty": lambda stored: stored[:0] if stored.shape else np.empty(0),
    "shorter": lambda stored: stored[:-1] if stored.shape else stored,
    "texts": lambda stored: np.full(stored.shape or 1, "x", object),
    "negative": lambda stored: np.full(stored.shape or 1, -1.5),
    "not numbers": lambda stored: np.full(stored.shape or 1, np.nan),
    "other whole numbers": lambda stored: np.full(stored.shape or 1, 2**40),
    "of more axes": lambda stored: np.zeros((*stored.shape, 2)),
}


@pytest.mark.parametrize("how", SPOILED)
def test_whatever_is_spoiled_is_one_line_or_read(session_file, tmp_path, how):
    """Each array of units, trials and electrodes in turn: no traceback, and nothing that is not whole."""
    names = []
    with h5py.File(session_file) as file:
        for part in (
            "units",
            "intervals/trials",
            "general/extracellular_ephys/electrodes",
            "general/subject",
        ):
            names += [f"{part}/{name}" for name in file[part] if name not in ("y", "z", "category", "run")]
    refused = 0
    for name in names:

        def spoil(file, name=name):
            attributes, stored = dict(file[name].attrs), np.asarray(file[name][()])
            del file[name]
            values = SPOILED[how](stored)
            if values is not None:
                is_text = isinstance(next(iter(np.ravel(values)), None), (str, bytes))
                file[name] = np.asarray(values).astype(h5py.string_dtype()) if is_text else values
                file[name].attrs.update(attributes)

        path = broken(session_file, tmp_path, spoil)
        error = None
        try:
            found = read(path)
            values = everything(found.values)
        except UserError as raised:
            error, refused = raised, refused + 1
        if error is None:
            assert values.shape == (len(found.presentations), len(found.neuroids))
            assert set(found.presentations["stimulus_id"]) <= set(found.stimuli["stimulus_id"])
        assert "\n" not in str(error)
    assert refused > 3
