"""The Natural Scenes Dataset in its own layout: the true small one, and ones written with a known truth."""

import shutil
import tracemalloc

import h5py
import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from brodmann import UserError
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import ReadOptions

SHAPE = (5, 4, 3)
AFFINE = np.array([[1.8, 0, 0, -9], [0, 1.8, 0, 20], [0, 0, 1.8, -4], [0, 0, 0, 1.0]])
BETAS = "nsddata_betas/ppdata/subj01/{}/betas_fithrf_GLMdenoise_RR"
rng = np.random.default_rng(0)
ORDER = rng.integers(1, 701, size=2250)
IMAGES = np.stack([rng.permutation(900)[:700] + 1 for _ in range(8)])
SHARED = IMAGES[0, :50]


def image(path, values, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)


def design(root, **other):
    folder = root / "nsddata/experiments/nsd"
    folder.mkdir(parents=True, exist_ok=True)
    held = {
        "masterordering": ORDER[None].astype(np.uint16),
        "subjectim": IMAGES.astype(np.uint32),
        "sharedix": SHARED[None],
    }
    savemat(folder / "nsd_expdesign.mat", held | other)


@pytest.fixture(scope="module")
def truth():
    """(session, trial, x, y, z), whole numbers as they are stored."""
    return np.random.default_rng(1).integers(-3000, 3000, size=(2, 750, *SHAPE)).astype(np.int16)


@pytest.fixture
def nsd(tmp_path, truth):
    """Two sessions as HDF5, two atlases, pictures of the images that were shown."""
    root = tmp_path / "nsd"
    folder = root / BETAS.format("func1pt8mm")
    folder.mkdir(parents=True)
    for number, session in enumerate(truth, start=1):
        with h5py.File(folder / f"betas_session{number:02d}.hdf5", "w") as file:
            file["betas"] = session.transpose(0, 3, 2, 1)
    roi = root / "nsddata/ppdata/subj01/func1pt8mm/roi"
    general = np.full(SHAPE, -1, np.int16)
    general[1:4, 1:, :] = 1
    general[1, 1, :] = 0
    image(roi / "nsdgeneral.nii.gz", general)
    visual = np.zeros(SHAPE, np.int16)
    visual[:, 0], visual[:, 2] = 1, 2
    image(roi / "prf-visualrois.nii.gz", visual)
    image(folder / "ncsnr.nii.gz", np.arange(60, dtype=np.float32).reshape(SHAPE) / 100)
    labels = root / "nsddata/freesurfer/subj01/label"
    labels.mkdir(parents=True)
    (labels / "prf-visualrois.mgz.ctab").write_text("0 Unknown\n1 V1v\n2 V1d\n")
    design(root)
    stimuli = root / "nsddata_stimuli/stimuli/nsd"
    stimuli.mkdir(parents=True)
    with h5py.File(stimuli / "nsd_stimuli.hdf5", "w") as file:
        bricks = file.create_dataset("imgBrick", (900, 7, 7, 3), np.uint8)
        bricks[:] = (np.arange(900)[:, None, None, None] % 251) + np.arange(3, dtype=np.uint8)
    return root


def read(root, **options):
    return read_recording(root, ReadOptions(**options), RECORDING_FORMATS["nsd"])


def numbers(imported):
    return np.asarray(imported.values[slice(None), slice(None)])


def inside(root, name="nsdgeneral"):
    path = root / f"nsddata/ppdata/subj01/func1pt8mm/roi/{name}.nii.gz"
    return np.asarray(nibabel.load(path).dataobj) > 0


def test_it_is_recognized_by_its_two_folders(nsd, test_signals):
    assert recognized(nsd).name == recognized(test_signals / "true-layouts" / "nsd").name == "nsd"
    assert not RECORDING_FORMATS["nsd"].recognizes(nsd / "nsddata")


def test_betas_are_percent_of_the_places_of_the_mask_in_c_order(nsd, truth):
    found = read(nsd, zscore="none")
    mask = inside(nsd)
    expected = truth.reshape(1500, *SHAPE)[:, mask] / 300
    np.testing.assert_allclose(numbers(found), expected, rtol=1e-6)
    assert found.about["units"] == "% signal change"
    at = np.argwhere(mask)
    np.testing.assert_allclose(found.neuroids[["x", "y", "z"]], at * 1.8 + AFFINE[:3, 3], atol=1e-4)
    np.testing.assert_allclose(found.neuroids["ncsnr"], (np.arange(60).reshape(SHAPE) / 100)[mask], rtol=1e-6)
    assert set(found.neuroids["region"]) == {"nsdgeneral"}
    assert set(found.neuroids["subject"]) == {"subj01"}


def test_each_place_is_zscored_within_its_session_by_default(nsd, truth):
    found = read(nsd)
    sessions = truth[:, :, inside(nsd)] / 300
    expected = (sessions - sessions.mean(1, keepdims=True)) / sessions.std(1, keepdims=True)
    np.testing.assert_allclose(numbers(found), expected.reshape(1500, -1), atol=2e-5)
    assert any("z-scored within each session" in line for line in found.said)


def test_blocks_of_rows_and_places_are_those_of_the_whole(nsd):
    found = read(nsd)
    whole = numbers(found)
    for rows, places in [
        (slice(740, 760), slice(3, 9)),
        (slice(0, 1), slice(None)),
        (slice(1499, 1500), slice(0, 1)),
    ]:
        np.testing.assert_array_equal(found.values[rows, places], whole[rows, places])


def test_the_picture_of_a_trial_is_that_of_the_design(nsd):
    found = read(nsd)
    shown = IMAGES[0][ORDER[:1500] - 1] - 1
    assert found.presentations["stimulus_id"].tolist() == [f"nsd{one:05d}" for one in shown]
    assert found.presentations["session"].tolist() == ["session01"] * 750 + ["session02"] * 750
    name = f"nsd{shown[0]:05d}"
    assert sorted(found.stimuli["stimulus_id"]) == sorted({f"nsd{one:05d}" for one in shown})
    pixels = np.asarray(Image.open(found.pictures[name]))
    assert (pixels == (shown[0] % 251) + np.arange(3)).all()
    assert set(found.pictures) == set(found.stimuli["stimulus_id"])
    first = found.presentations[found.presentations["stimulus_id"] == name]
    assert first["repetition"].tolist() == list(range(len(first)))
    labels = dict(zip(found.stimuli["stimulus_id"], found.stimuli["shared1000"], strict=True))
    assert {one for one, label in labels.items() if label == "yes"} == {
        f"nsd{one - 1:05d}" for one in SHARED if f"nsd{one - 1:05d}" in labels
    }


def test_no_picture_is_cut_out_before_it_is_asked_for(nsd, monkeypatch, tmp_path):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    found = read(nsd)
    assert not (tmp_path / "home").exists()
    path = found.pictures[found.stimuli["stimulus_id"].iloc[0]]
    assert len(list(path.parent.iterdir())) == 1
    folder = path.parent
    del found
    assert not folder.exists()


def test_shared_pictures_alone_keep_the_scale_of_the_whole_session(nsd):
    whole, shared = read(nsd), read(nsd, events="shared1000")
    keep = np.flatnonzero(whole.presentations["stimulus_id"].isin(shared.presentations["stimulus_id"]))
    assert 0 < len(keep) < 1500
    np.testing.assert_array_equal(numbers(shared), numbers(whole)[keep])
    assert set(shared.stimuli["shared1000"]) == {"yes"}
    np.testing.assert_array_equal(shared.values[slice(3, 7), slice(1, 3)], numbers(whole)[keep[3:7], 1:3])


def test_a_session_of_choice_has_its_own_trials(nsd, truth):
    found = read(nsd, session="2", zscore="none")
    np.testing.assert_allclose(numbers(found), truth[1][:, inside(nsd)] / 300, rtol=1e-6)
    assert found.presentations["stimulus_id"].iloc[0] == f"nsd{IMAGES[0][ORDER[750] - 1] - 1:05d}"


def test_a_label_of_an_atlas_or_a_whole_atlas_is_a_region(nsd, truth):
    one = read(nsd, region="V1d", zscore="none")
    visual = np.asarray(
        nibabel.load(nsd / "nsddata/ppdata/subj01/func1pt8mm/roi/prf-visualrois.nii.gz").dataobj
    )
    np.testing.assert_allclose(numbers(one), truth.reshape(1500, *SHAPE)[:, visual == 2] / 300, rtol=1e-6)
    both = read(nsd, region="prf-visualrois")
    assert set(both.neuroids["region"]) == {"V1v", "V1d"}
    assert set(one.neuroids["nsdgeneral"]) == {"nsdgeneral", "none"}


def test_compressed_images_hold_the_same(nsd, truth):
    folder = nsd / BETAS.format("func1pt8mm")
    expected = numbers(read(nsd))
    for number, session in enumerate(truth, start=1):
        (folder / f"betas_session{number:02d}.hdf5").unlink()
        image(folder / f"betas_session{number:02d}.nii.gz", session.transpose(1, 2, 3, 0))
    np.testing.assert_array_equal(numbers(read(nsd)), expected)


def test_fsaverage_is_two_hemispheres_of_floats(nsd):
    folder = nsd / BETAS.format("fsaverage")
    folder.mkdir(parents=True)
    values = np.random.default_rng(2).normal(size=(2, 20, 750)).astype(np.float32)
    labels = nsd / "nsddata/freesurfer/fsaverage/label"
    labels.mkdir(parents=True)
    for side, one in zip(("lh", "rh"), values, strict=True):
        nibabel.save(nibabel.MGHImage(one[:, None, None], np.eye(4)), folder / f"{side}.betas_session01.mgh")
        mask = np.zeros((20, 1, 1), np.int32)
        mask[5:15] = 1
        nibabel.save(nibabel.MGHImage(mask, np.eye(4)), labels / f"{side}.nsdgeneral.mgz")
    with pytest.raises(
        UserError, match=r"there are 2 spaces \(fsaverage, func1pt8mm\): say which by --space"
    ):
        read(nsd)
    found = read(nsd, space="fsaverage", zscore="none")
    np.testing.assert_array_equal(numbers(found), values[:, 5:15].reshape(20, 750).T)
    assert found.neuroids["hemisphere"].tolist() == ["L"] * 10 + ["R"] * 10
    assert found.neuroids["vertex"].tolist() == list(range(5, 15)) * 2
    assert "x" not in found.neuroids.columns


def test_the_true_layout_has_the_numbers_of_its_files(test_signals):
    root = test_signals / "true-layouts" / "nsd"
    found = read(root, zscore="none")
    with h5py.File(root / BETAS.format("func1pt8mm") / "betas_session02.hdf5") as file:
        stored = file["betas"][10].T.reshape(-1) / 300
    np.testing.assert_allclose(found.values[slice(760, 761), slice(None)][0], stored, rtol=1e-6)
    assert found.neuroids[["x", "y", "z"]].iloc[0].tolist() == [30.0, -40.0, -20.0]
    assert len(found.presentations) == 1500


def test_the_mask_is_an_image_of_the_places_that_were_taken(nsd):
    found = read(nsd)
    mask = nibabel.load(found.images["mask"])
    np.testing.assert_array_equal(np.asarray(mask.dataobj) > 0, inside(nsd))
    np.testing.assert_allclose(mask.affine, AFFINE, atol=1e-5)


def test_a_region_of_a_large_session_is_read_in_little_memory(tmp_path):
    """A session of 750 x 40 x 40 x 40 numbers takes 96 MB as it is stored, 192 MB as float32."""
    root = tmp_path / "nsd"
    folder = root / BETAS.format("func1pt8mm")
    folder.mkdir(parents=True)
    with h5py.File(folder / "betas_session01.hdf5", "w") as file:
        file.create_dataset("betas", (750, 40, 40, 40), np.int16, chunks=(1, 40, 40, 40), compression=1)
    mask = np.zeros((40, 40, 40), np.int16)
    mask[10:14, 20, 20:25] = mask[39, 39, 39] = 1
    image(root / "nsddata/ppdata/subj01/func1pt8mm/roi/nsdgeneral.nii.gz", mask)
    design(root)
    tracemalloc.start()
    numbers(read(root, zscore="none"))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100 << 20


def rewritten(root, session, **arrays):
    path = root / BETAS.format("func1pt8mm") / f"betas_session{session:02d}.hdf5"
    path.unlink()
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values


def linked(root):
    path = root / BETAS.format("func1pt8mm") / "betas_session01.hdf5"
    path.rename(root / "elsewhere.hdf5")
    with h5py.File(path, "w") as file:
        file["betas"] = h5py.ExternalLink(str(root / "elsewhere.hdf5"), "betas")


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


ROI = "nsddata/ppdata/subj01/func1pt8mm/roi/"
MAT = "nsddata/experiments/nsd/nsd_expdesign.mat"
FIRST = BETAS.format("func1pt8mm") + "/betas_session01.hdf5"
BROKEN = {
    "a session cut short": (
        lambda root: halved(root / FIRST),
        "betas_session01.hdf5 is no HDF5 file, or not all of one",
    ),
    "fewer trials": (
        lambda root: rewritten(root, 2, betas=np.zeros((748, 3, 4, 5), np.int16)),
        r"betas_session02.hdf5 has 748 trials .*: a session of NSD has 750",
    ),
    "another space": (
        lambda root: rewritten(root, 2, betas=np.zeros((750, 3, 4, 6), np.int16)),
        r"betas_session02.hdf5 has shape \(6, 4, 3\), the first session \(5, 4, 3\): another space",
    ),
    "another array": (lambda root: rewritten(root, 1, beta=np.zeros(3)), "holds beta, not 'betas'"),
    "a link out": (linked, "betas is a link to elsewhere: refused"),
    "a mask of another shape": (
        lambda root: image(root / ROI / "nsdgeneral.nii.gz", np.ones((5, 4, 4), np.int16)),
        r"nsdgeneral.nii.gz has shape \(5, 4, 4\), the betas have \(5, 4, 3\): another space",
    ),
    "an empty mask": (
        lambda root: image(root / ROI / "nsdgeneral.nii.gz", np.zeros(SHAPE, np.int16)),
        "region nsdgeneral .* takes no place",
    ),
    "a mask cut short": (
        lambda root: halved(root / ROI / "nsdgeneral.nii.gz"),
        "nsdgeneral.nii.gz is (damaged|no image that can be read)",
    ),
    "no design": (lambda root: (root / MAT).unlink(), "nsd_expdesign.mat is missing: it says which picture"),
    "a design cut short": (
        lambda root: halved(root / MAT),
        "nsd_expdesign.mat (cannot be read|holds no numbers)",
    ),
    "indices from 0": (
        lambda root: design(root, masterordering=ORDER[None] - 1),
        "masterordering goes from 0 to 699: its indices must be from 1 to 700",
    ),
    "a short design": (
        lambda root: design(root, masterordering=ORDER[None, :1000]),
        "session 2 goes beyond the design's 1000 trials",
    ),
    "the ratio of another space": (
        lambda root: image(
            root / BETAS.format("func1pt8mm") / "ncsnr.nii.gz", np.ones((2, 2, 2), np.float32)
        ),
        "ncsnr.nii.gz has 8 places, the betas have 60",
    ),
    "a session twice": (
        lambda root: shutil.copy(root / FIRST, str(root / FIRST).replace(".hdf5", ".nii.gz")),
        "has session 01 twice",
    ),
    "no session": (
        lambda root: [one.unlink() for one in (root / FIRST).parent.glob("betas*")],
        "holds no betas_session01.hdf5",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_one_line(name, nsd):
    spoil, message = BROKEN[name]
    spoil(nsd)
    with pytest.raises(UserError, match=message) as caught:
        numbers(read(nsd))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"region": "V1x"}, "unknown region 'V1x': did you mean 'V1v'"),
        ({"subject": "subj02"}, "unknown subject 'subj02': did you mean 'subj01'"),
        ({"session": "9"}, "unknown session '9'"),
        ({"zscore": "yes"}, "--zscore must be 'session' or 'none', not 'yes'"),
        ({"mask": "brain"}, "no mask at .*brainmask.nii.gz"),
        ({"betas": "assumehrf"}, "unknown GLM 'betas_assumehrf'"),
        ({"events": "shared"}, "unknown kind of trials 'shared': did you mean 'shared1000'"),
        ({"window": "0,1"}, "unknown option of nsd '--window'"),
    ],
)
def test_what_has_to_be_said_is_said_with_its_choices(options, message, nsd):
    with pytest.raises(UserError, match=message):
        read(nsd, **options)
