"""Regions of voxels: by number and name, by masks that overlap, by nilearn's names, on other grids when asked."""

import nibabel
import numpy as np
import pandas as pd
import pytest

from brodmann.brain_data.imported import ReadOptions
from brodmann.brain_data.reading.volumes.atlases import OUTSIDE, read_labels, regions_of
from brodmann.brain_data.reading.volumes.images import Grid
from brodmann.errors import NotAvailableError, UserError

SHAPE = (4, 3, 2)
AFFINE = np.array([[2.0, 0, 0, -4], [0, 2, 0, -3], [0, 0, 2, 1], [0, 0, 0, 1]])
GRID = Grid(SHAPE, AFFINE)
VOXELS = np.argwhere(np.ones(SHAPE, bool))
NUMBERS = np.zeros(SHAPE, np.int16)
NUMBERS[0], NUMBERS[1], NUMBERS[2] = 1, 2, 1002


def save(path, volume, affine=AFFINE):
    nibabel.save(nibabel.Nifti1Image(volume, affine), path)
    return str(path)


def regions(folder, **options):
    return regions_of(ReadOptions(**options), VOXELS, GRID, "betas.nii", folder)


def test_names_of_several_words_are_whole(tmp_path):
    """Two regions whose names begin alike are two."""
    lines = [
        "1 Area 44  10 20 30 0",
        "2 Area 45  10 20 31 0",
        "3 Left hippocampus",
        "4 Precentral_L 2001",
        "5 V1 1 2 3",
    ]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    names = ["Area 44", "Area 45", "Left hippocampus", "Precentral_L", "V1"]
    assert read_labels(tmp_path / "a.txt")["name"].tolist() == names


def refused(folder, words, **options):
    with pytest.raises(UserError, match=words) as caught:
        regions(folder, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("atlas.tsv", "index\tname\themisphere\n1\tV1\tL\n2\tV2\tR\n1002\tNA\tL\n"),
        ("atlas.csv", "value,label,color\n1,V1,#fff\n2,V2,#000\n1002,NA,#123\n"),
        (
            "atlas.txt",
            "# FreeSurfer's\n#No. Label R G B A\n0 Unknown 0 0 0 0\n1  V1  1 2 3 0\n2 V2 4 5 6 0\n1002 NA 7 8 9 0\n",
        ),
        ("atlas.ctab", "  1  V1  1 2 3 0\n  2  V2  4 5 6 0\n  1002 NA 7 8 9 0\n"),
    ],
)
def test_numbers_get_their_names(tmp_path, name, text):
    atlas = save(tmp_path / "atlas.nii.gz", NUMBERS)
    (tmp_path / name).write_text(text)
    found = regions(tmp_path, atlas=atlas)
    wanted = np.array(["V1", "V2", "NA", ""])[VOXELS[:, 0]]
    assert found.columns["region"].tolist() == wanted.tolist()
    assert (found.inside == (wanted != "")).all()
    assert found.left_out == {OUTSIDE: 6}
    assert ("hemisphere" in found.columns) == (name == "atlas.tsv")
    assert not {"color", "R", "G"} & set(found.columns)
    (tmp_path / name).rename(tmp_path / f"other{name[5:]}")
    again = regions(tmp_path, atlas="atlas.nii.gz", labels=f"other{name[5:]}")
    assert again.columns["region"].tolist() == wanted.tolist()


def test_without_names_regions_are_called_by_their_numbers(tmp_path):
    found = regions(tmp_path, atlas=save(tmp_path / "atlas.nii", NUMBERS))
    assert set(found.columns["region"]) == {"1", "2", "1002", ""}
    assert "called by their numbers" in found.said[0]


def test_several_atlases_are_columns(tmp_path):
    save(tmp_path / "first.nii", NUMBERS)
    save(tmp_path / "second.nii", (NUMBERS == 2).astype(np.uint8) * 7 + (NUMBERS == 1) * np.uint8(3))
    found = regions(tmp_path, atlas="first.nii,second.nii")
    first = found.columns["region"] == "2"
    assert (found.columns["region_second"][first] == "7").all()


def test_regions_are_chosen(tmp_path):
    found = regions(tmp_path, atlas=save(tmp_path / "atlas.nii", NUMBERS), region="1,2")
    assert found.inside.sum() == 12
    assert found.left_out == {"voxels outside of the regions that were asked for": 12}
    refused(tmp_path, "unknown region of the atlas 'V9'", atlas="atlas.nii", region="V9")


def test_masks_that_overlap(tmp_path):
    ffa, ppa = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    ffa[:2], ppa[1:3] = 1, 1
    save(tmp_path / "FFA.nii.gz", ffa)
    save(tmp_path / "PPA.nii.gz", ppa)
    found = regions(tmp_path, atlas="FFA.nii.gz,PPA.nii.gz")
    assert found.columns["region"].tolist() == np.array(["FFA", "FFA+PPA", "PPA", ""])[VOXELS[:, 0]].tolist()
    assert found.columns["in_FFA"].tolist() == (VOXELS[:, 0] < 2).tolist()
    assert any("6 voxels lie in several regions" in line for line in found.said)
    all_of_one = regions(tmp_path, atlas="FFA.nii.gz,PPA.nii.gz", region="PPA")
    assert set(all_of_one.columns["region"][all_of_one.inside]) == {"PPA"}
    assert all_of_one.inside.sum() == 12


def test_a_folder_of_masks(tmp_path):
    (tmp_path / "rois").mkdir()
    for place, name in enumerate(["V1", "V2"]):
        save(tmp_path / "rois" / f"{name}.nii", (VOXELS[:, 0] == place).reshape(SHAPE).astype(np.float32))
    found = regions(tmp_path, atlas="rois")
    assert found.columns["region"].tolist() == np.array(["V1", "V2", "", ""])[VOXELS[:, 0]].tolist()
    (tmp_path / "empty").mkdir()
    refused(tmp_path, "empty holds no region mask", atlas="empty")


def test_another_grid_is_refused_and_taken_by_the_nearest_voxel_when_asked(tmp_path):
    """The same regions at half the size of voxels: every voxel finds its own."""
    fine = np.kron(NUMBERS, np.ones((2, 2, 2), np.int16))
    affine = AFFINE.copy()
    affine[:3, :3] /= 2
    affine[:3, 3] -= 0.5
    save(tmp_path / "fine.nii.gz", fine, affine)
    refused(
        tmp_path,
        "fine.nii.gz is of shape 8 x 6 x 4, and betas.nii of 4 x 3 x 2: --resample nearest",
        atlas="fine.nii.gz",
    )
    found = regions(tmp_path, atlas="fine.nii.gz", resample="nearest")
    assert found.columns["region"].tolist() == np.array(["1", "2", "1002", ""])[VOXELS[:, 0]].tolist()
    refused(tmp_path, "--resample must be nearest, not 'linear'", atlas="fine.nii.gz", resample="linear")


def test_voxels_beyond_the_atlas_are_outside(tmp_path):
    save(tmp_path / "half.nii", NUMBERS[:2])
    found = regions(tmp_path, atlas="half.nii", resample="nearest")
    assert found.columns["region"].tolist() == np.array(["1", "2", "", ""])[VOXELS[:, 0]].tolist()


@pytest.fixture
def nilearns_folder(tmp_path, monkeypatch):
    """Where nilearn keeps what it downloaded, and a network that answers nobody."""
    place = tmp_path / "nilearn_data"
    place.mkdir()
    monkeypatch.setenv("NILEARN_DATA", str(place))
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return place


def test_an_atlas_of_nilearn_is_read_from_its_folder(nilearns_folder):
    place = nilearns_folder / "schaefer_2018"
    place.mkdir()
    rows = [(1, "7Networks_LH_Vis_1"), (2, "7Networks_RH_Vis_2")]
    lines = [f"{number}\t{name}\t120\t18\t131\t0" for number, name in rows]
    (place / "Schaefer2018_100Parcels_7Networks_order.txt").write_text("\n".join(lines) + "\n")
    volume = np.where(NUMBERS == 1002, 0, NUMBERS).astype(np.int16)
    save(place / "Schaefer2018_100Parcels_7Networks_order_FSLMNI152_2mm.nii.gz", volume)
    found = regions(nilearns_folder, atlas="schaefer_2018:n_rois=100:resolution_mm=2")
    names = [rows[0][1], rows[1][1], "", ""]
    assert found.columns["region"].tolist() == np.array(names)[VOXELS[:, 0]].tolist()
    assert any("MNI152NLin6Asym" in line for line in found.said)


def test_an_atlas_of_nilearn_that_is_nowhere(nilearns_folder):
    with pytest.raises(
        NotAvailableError, match="atlas 'aal' is not in nilearn's folder .*could not be downloaded"
    ) as caught:
        regions(nilearns_folder, atlas="aal")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("atlas", "words"),
    [
        (
            "shaefer_2018",
            r"unknown atlas \(no file, and not of nilearn\) 'shaefer_2018': did you mean 'schaefer_2018'",
        ),
        (
            "schaefer_2018:rois=100",
            "unknown option of the atlas schaefer_2018 .*'rois': did you mean 'n_rois'",
        ),
        ("schaefer_2018:n_rois=123", "--atlas schaefer_2018:n_rois=123: .n_rois. must be one of"),
        (
            "harvard_oxford",
            "the atlas harvard_oxford needs atlas_name: --atlas harvard_oxford:atlas_name=VALUE",
        ),
    ],
)
def test_names_of_nilearn_that_are_none(nilearns_folder, atlas, words):
    refused(nilearns_folder, words, atlas=atlas)


class TestBroken:
    """One line each."""

    def test_probabilities(self, tmp_path):
        save(tmp_path / "p.nii", np.random.default_rng(0).random(SHAPE).astype(np.float32))
        refused(tmp_path, "p.nii holds fractions", atlas="p.nii")

    def test_several_volumes(self, tmp_path):
        save(tmp_path / "p.nii", np.zeros((*SHAPE, 3), np.uint8))
        refused(tmp_path, "p.nii has 3 volumes: one is needed here", atlas="p.nii")

    def test_nothing_there(self, tmp_path):
        save(tmp_path / "zero.nii", NUMBERS * 0)
        refused(tmp_path, "no voxel of betas.nii lies in a region of zero.nii", atlas="zero.nii")

    def test_labels_without_an_atlas(self, tmp_path):
        refused(tmp_path, "--labels names the numbers of an atlas: say which by --atlas", labels="x.tsv")

    def test_labels_that_are_not_there(self, tmp_path):
        save(tmp_path / "atlas.nii", NUMBERS)
        refused(tmp_path, "no table of labels at x.tsv", atlas="atlas.nii", labels="x.tsv")

    def test_the_same_mask_twice(self, tmp_path):
        save(tmp_path / "a.nii", NUMBERS)
        refused(tmp_path, "two atlases or masks are called 'a': rename a file", atlas="a.nii,a.nii")

    @pytest.mark.parametrize(
        ("name", "text", "words"),
        [
            ("a.tsv", "colour\tname\n1\tV1\n", "a.tsv needs a column index or value; it has colour, name"),
            ("a.tsv", "index\tx\n1\tV1\n", "a.tsv needs a column name or region; it has index, x"),
            ("a.tsv", "index\tname\n1\tV1\n1\tV2\n", "a.tsv names the number 1 twice"),
            ("a.tsv", "index\tname\none\tV1\n", "1 numbers of regions are no whole numbers"),
            ("a.tsv", "index\tname\n", "a.tsv names no region"),
            ("a.tsv", "", "a.tsv cannot be read as a table"),
            (
                "a.txt",
                "one V1 0 0 0\n",
                "a.txt: line 1 is 'one V1 0 0 0', and a number, a name and a color are needed",
            ),
            ("a.xml", "<atlas/>", "a.xml: names of regions are read from .tsv, .csv, .ctab, .txt"),
        ],
    )
    def test_tables_of_names(self, tmp_path, name, text, words):
        (tmp_path / name).write_text(text)
        with pytest.raises(UserError, match=words):
            read_labels(tmp_path / name)

    def test_a_table_that_is_no_text(self, tmp_path):
        (tmp_path / "a.ctab").write_bytes(b"\xff\xfe1\x00")
        with pytest.raises(UserError, match="a.ctab cannot be read .* save it as UTF-8"):
            read_labels(tmp_path / "a.ctab")


def test_numbers_that_a_table_does_not_name(tmp_path):
    atlas = save(tmp_path / "atlas.nii", NUMBERS)
    pd.DataFrame({"index": [1], "name": ["V1"]}).to_csv(tmp_path / "atlas.csv", index=False)
    found = regions(tmp_path, atlas=atlas)
    assert set(found.columns["region"]) == {"V1", "2", "1002", ""}
    assert any("2 numbers of atlas.nii have no name" in line for line in found.said)
