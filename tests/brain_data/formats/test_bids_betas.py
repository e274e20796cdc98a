"""Betas in BIDS: what is written is read back, nilearn reads it, and what is broken ends in a line."""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker
from PIL import Image
from typer.testing import CliRunner

from brodmann.bench.cli.main import app
from brodmann.brain_data import load_dataset
from brodmann.brain_data.catalogue import add_dataset
from brodmann.brain_data.converting import convert
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_path
from brodmann.brain_data.imported import Imported, ReadOptions
from brodmann.brain_data.importing import install_recording
from brodmann.errors import UserError

from ..test_converting import same

AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2.0, 0.1, -20], [0, 0, 2.5, 5], [0, 0, 0, 1]])
SHAPE = (5, 4, 3)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))


def study(folder: Path, *, people: int = 1, dtype: str = "float32", pictures: bool = True) -> Imported:
    """Trials of 6 pictures in three runs that are not one after the other, of voxels in an order of their own."""
    rng = np.random.default_rng(7)
    inside = rng.random(SHAPE) < 0.5
    mask = folder / "mask.nii.gz"
    folder.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(inside.astype(np.uint8), AFFINE)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, mask)
    voxels = rng.permutation(np.argwhere(inside))
    tables = []
    for number in range(people):
        own = voxels[number:]
        x, y, z = nibabel.affines.apply_affine(AFFINE, own).T
        tables.append(
            pd.DataFrame(
                {
                    "neuroid_id": [f"{number}-{i}" for i in range(len(own))],
                    "x": x,
                    "y": y,
                    "z": z,
                    "region": ["NA" if i % 3 else "V1" for i in range(len(own))],
                    "subject": f"sub-{9 - number:02d}",
                    "ncsnr": np.where(np.arange(len(own)) == 2, np.nan, rng.random(len(own))),
                    "layer": np.arange(len(own)),
                }
            )
        )
    neuroids = pd.concat(tables, ignore_index=True)
    if people > 1:
        neuroids = neuroids.sample(frac=1, random_state=1).reset_index(drop=True)
    n = 6
    stimuli = pd.DataFrame(
        {
            "stimulus_id": [f"{i:03d}" for i in range(n)],
            "caption": [f'a "{i}",\tand\n{"ü" * i}' for i in range(n)],
            "size": np.linspace(0, 1, n) / 3,
        }
    )
    found = {}
    if pictures:
        for one in stimuli["stimulus_id"]:
            found[one] = folder / f"{one}.png"
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(found[one])
        stimuli["filename"] = [path.name for path in found.values()]
    else:
        stimuli["sentence"] = [f"Text {i}." for i in range(n)]
    shown = pd.DataFrame(
        {
            "stimulus_id": np.tile(stimuli["stimulus_id"], 3),
            "repetition": np.repeat(range(3), n),
            "run": np.tile(["b", "a", "b"], n),
            "session": np.repeat(["01", "01", "02"], n),
            "rating": rng.normal(size=3 * n),
        }
    )
    values = rng.normal(size=(len(shown), len(neuroids))).astype(dtype)
    return Imported(
        stimuli, values, shown, neuroids, pictures=found, images={"mask": mask}, said=("as it was",),
        left_out={"trials without a picture": 2}, blocks="run",
        about={"units": "%", "license": "CC0", "source": "here", "space": "MNI152NLin2009cAsym"},
        published_ceilings={"V1": {"value": 0.5, "source": "table 2"}},
    )  # fmt: skip


@pytest.mark.parametrize("people", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_data_set_of_voxels_comes_back_as_it_was(people: int, dtype: str, tmp_path: Path) -> None:
    install_recording("before", study(tmp_path / "study", people=people, dtype=dtype, pictures=people == 1))
    said = convert("before", tmp_path / "written", "bids-betas")
    assert not any("have no place" in line for line in said)  # the mask is written
    add_dataset("after", tmp_path / "written")
    before, after = load_dataset("before"), load_dataset("after")
    same(before, after)
    assert after.responses is not None
    assert after.responses.dtype == dtype
    assert after.responses.attrs["space"] == "MNI152NLin2009cAsym"
    convert("after", tmp_path / "again", "bids-betas")
    for path in (tmp_path / "written").rglob("*.nii.gz"):
        again = tmp_path / "again" / str(path.relative_to(tmp_path / "written")).replace("before", "after")
        assert gzip.decompress(path.read_bytes())[348:] == gzip.decompress(again.read_bytes())[348:]


def test_without_runs_and_subjects_there_is_one_image(tmp_path: Path) -> None:
    found = study(tmp_path / "study")
    bare = replace(
        found, presentations=found.presentations[["stimulus_id"]], neuroids=found.neuroids.drop(columns="subject"),
        about={},
    )  # fmt: skip
    install_recording("my_own-study", bare)
    convert("my_own-study", tmp_path / "written", "bids-betas")
    names = sorted(path.name for path in (tmp_path / "written" / "sub-01" / "func").iterdir())
    assert names == [
        "sub-01_task-myownstudy_desc-brain_mask.nii.gz",
        "sub-01_task-myownstudy_events.json",
        "sub-01_task-myownstudy_events.tsv",
        "sub-01_task-myownstudy_stat-effect_statmap.nii.gz",
        "sub-01_task-myownstudy_voxels.json",
        "sub-01_task-myownstudy_voxels.tsv",
    ]
    add_dataset("after", tmp_path / "written")
    same(load_dataset("my_own-study"), load_dataset("after"))


def test_the_folder_is_written_by_one_command_from_recordings_and_added_by_another(
    tmp_path: Path, test_signals: Path
) -> None:
    run = CliRunner()
    betas = test_signals / "true-layouts" / "betas"
    convert_it = ["data", "convert", str(betas), "--to", str(tmp_path / "there"), "--as", "bids-betas"]
    done = run.invoke(app, convert_it)
    assert done.exit_code == 0, done.output
    said = json.loads(run.invoke(app, ["data", "check", str(tmp_path / "there"), "--json"]).stdout)
    assert said["format"] == "bids-betas"
    assert run.invoke(app, ["data", "add", "one", "--from", str(betas)]).exit_code == 0
    assert run.invoke(app, ["data", "add", "two", "--from", str(tmp_path / "there")]).exit_code == 0
    same(load_dataset("one"), load_dataset("two"))


def written(tmp_path: Path) -> tuple[Path, Dataset]:
    install_recording("before", study(tmp_path / "study"))
    convert("before", tmp_path / "written", "bids-betas")
    return tmp_path / "written", load_dataset("before")


def test_nilearn_reads_the_same_numbers(tmp_path: Path) -> None:
    folder, before = written(tmp_path)
    assert before.responses is not None
    func = folder / "sub-09" / "func"
    start = "sub-09_task-before"
    space = "space-MNI152NLin2009cAsym"
    masker = NiftiMasker(
        str(func / f"{start}_{space}_desc-brain_mask.nii.gz"), dtype=None, standardize=None
    ).fit()
    voxels = np.rint(
        nibabel.affines.apply_affine(
            np.linalg.inv(AFFINE), np.column_stack([before.responses[axis].values for axis in "xyz"])
        )
    ).astype(int)
    in_c_order = np.argsort(np.ravel_multi_index(tuple(voxels.T), SHAPE))
    for number, run in enumerate(("b", "a"), start=1):
        values = masker.transform(str(func / f"{start}_run-{number}_{space}_stat-effect_statmap.nii.gz"))
        expected = before.responses.values[before.responses["run"].values == run][:, in_c_order]
        np.testing.assert_array_equal(values, expected)
        table = pd.read_csv(func / f"{start}_run-{number}_events.tsv", sep="\t", dtype={"stimulus_id": str})
        assert list(table.columns[:3]) == ["onset", "duration", "stimulus_id"]
        assert table["stimulus_id"].tolist() == (
            before.responses["stimulus_id"].values[before.responses["run"].values == run].tolist()
        )
    image = nibabel.load(func / f"{start}_run-1_{space}_stat-effect_statmap.nii.gz")
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-6)
    said = json.loads((folder / "dataset_description.json").read_text())
    assert said["DatasetType"] == "derivative"
    assert said["GeneratedBy"][0]["Name"] == "brodmann"


def test_one_format_alone_takes_each_folder(tmp_path: Path, test_signals: Path) -> None:
    folder, _ = written(tmp_path)

    def taken(path: Path) -> list[str]:
        return [one.name for one in RECORDING_FORMATS.values() if one.recognizes(path)]

    assert taken(folder) == ["bids-betas"]
    layouts = test_signals / "true-layouts"
    assert taken(layouts / "bids") == ["bids"]
    assert taken(layouts / "bids" / "derivatives" / "fmriprep") == ["bids"]
    assert taken(layouts / "betas") == ["nifti"]
    # fMRIPrep's own folder, with maps of a first level put beside its images
    mixed = tmp_path / "fmriprep"
    shutil.copytree(layouts / "bids" / "derivatives" / "fmriprep", mixed)
    mixed.chmod(0o755)
    for one in mixed.rglob("*"):
        one.chmod(0o755 if one.is_dir() else 0o644)
    image = next((folder / "sub-09" / "func").glob("*_statmap.nii.gz"))
    shutil.copy(image, mixed / "sub-01" / "func" / "sub-01_task-view_contrast-a_stat-effect_statmap.nii.gz")
    assert taken(mixed) == ["bids"]


def test_a_strangers_folder_enters_without_tables_of_voxels_and_stimuli(tmp_path: Path) -> None:
    folder, before = written(tmp_path)
    assert before.responses is not None
    shutil.rmtree(folder / "stimuli")
    for path in [*folder.rglob("*_voxels.*"), *folder.rglob("*_events.json")]:
        path.unlink()
    (folder / "dataset_description.json").write_text('{"Name": "theirs", "DatasetType": "derivative"}')
    _, found = read_path(folder)
    assert found.presentations["run"].tolist() == before.responses["run"].values.tolist()
    assert found.stimuli["stimulus_id"].tolist()[0] == "000"
    assert found.neuroids["subject"].unique().tolist() == ["09"]
    place = {
        tuple(np.round(one, 3)): i
        for i, one in enumerate(np.column_stack([before.responses[axis].values for axis in "xyz"]).tolist())
    }
    order = [place[tuple(np.round(one, 3))] for one in found.neuroids[["x", "y", "z"]].to_numpy().tolist()]
    everything = found.values[slice(0, 18), slice(0, len(order))]
    np.testing.assert_array_equal(everything, before.responses.values[:, order])
    assert "MNI152NLin2009cAsym" in found.said[-1]


def test_one_subject_of_several_is_taken(tmp_path: Path) -> None:
    install_recording("before", study(tmp_path / "study", people=3))
    convert("before", tmp_path / "written", "bids-betas")
    _, found = read_path(tmp_path / "written", ReadOptions(subject="08"))
    before = load_dataset("before").responses
    assert before is not None
    own = before[:, before["subject"].values == "sub-08"]
    assert found.neuroids["neuroid_id"].tolist() == own["neuroid_id"].values.tolist()
    np.testing.assert_array_equal(found.values[slice(0, 18), slice(0, own.shape[1])], own.values)


def _cut(folder: Path) -> None:
    path = next(folder.rglob("*_run-2_*statmap.nii.gz"))
    path.write_bytes(path.read_bytes()[:-200])


def _events(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def broken(folder: Path) -> None:
        path = next(folder.rglob("*_run-1_events.tsv"))
        change(pd.read_csv(path, sep="\t", dtype=str)).to_csv(path, sep="\t", index=False)

    return broken


def _other_mask(folder: Path) -> None:
    path = next(folder.rglob("*_mask.nii.gz"))
    nibabel.save(nibabel.Nifti1Image(np.ones((5, 4, 4), np.uint8), AFFINE), path)


def _moved_mask(folder: Path) -> None:
    path = next(folder.rglob("*_mask.nii.gz"))
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), AFFINE + 0.5 * np.eye(4)), path)


def _fuller_mask(folder: Path) -> None:
    path = next(folder.rglob("*_mask.nii.gz"))
    nibabel.save(nibabel.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE), path)


def _voxels(column: str, value: str) -> Callable[[Path], None]:
    def broken(folder: Path) -> None:
        path = next(folder.rglob("*_voxels.tsv"))
        table = pd.read_csv(path, sep="\t", dtype=str)
        table.loc[0, column] = value
        table.to_csv(path, sep="\t", index=False)

    return broken


def _described(**changes: object) -> Callable[[Path], None]:
    def broken(folder: Path) -> None:
        path = folder / "dataset_description.json"
        said = json.loads(path.read_text())
        said["Brodmann"] |= changes
        path.write_text(json.dumps(said))

    return broken


def _removed(pattern: str) -> Callable[[Path], None]:
    def broken(folder: Path) -> None:
        for path in folder.rglob(pattern):
            path.unlink()

    return broken


def _unnamed_stimulus(folder: Path) -> None:
    path = folder / "stimuli" / "stimuli.tsv"
    pd.read_csv(path, sep="\t", dtype=str).iloc[1:].to_csv(path, sep="\t", index=False)


def _link(folder: Path) -> None:
    path = next(folder.rglob("*_run-1_events.tsv"))
    (folder.parent / "elsewhere.tsv").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(folder.parent / "elsewhere.tsv")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (_cut, "is damaged|is cut off"),
        (_events(lambda table: table.iloc[:-1]), r"_events.tsv has 11 rows, and .* 12 volumes"),
        (_events(lambda table: table.drop(columns="stimulus_id")), "has no column stimulus_id; it has onset"),
        (
            _events(lambda table: table.assign(repetition="many")),
            "column 'repetition' must hold values of the kind",
        ),
        (
            _events(lambda table: table.assign(brodmann_place="0")),
            "must number the 18 rows from 0, each once",
        ),
        (_removed("*_run-2_events.tsv"), "has no table of trials beside it"),
        (_removed("*_mask.nii.gz"), "has no mask of its voxels beside it"),
        (_other_mask, "is of shape 5 x 4 x 4, and .* of 5 x 4 x 3"),
        (_moved_mask, "lies elsewhere than .*: their affines differ by up to 0.5"),
        (_fuller_mask, "voxels.tsv lists [0-9]+ voxels, and .* has 60"),
        (_voxels("x", "99"), "1 of [0-9]+ neuroids lie on no voxel of"),
        (_voxels("x", "n/a"), "1 of [0-9]+ neuroids lie on no voxel of"),
        (_voxels("x", "left"), "column 'x' must hold values of the kind 'number'"),
        (_unnamed_stimulus, "lacks 1 stimuli of the trials \\(first: '000'\\)"),
        (_described(modality="taste"), "modality must be 'vision' or 'language', not 'taste'"),
        (_described(said="all"), "said must be of the kind list, not 'all'"),
        (_described(left_out={"a": "b"}), "is damaged: counts, texts and ceilings"),
        (_link, "is a link"),
    ],
)
def test_what_is_broken_is_one_line(broken: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    folder, _ = written(tmp_path)
    broken(folder)
    with pytest.raises(UserError, match=words) as caught:
        read_path(folder, name="bids-betas")
    assert "\n" not in str(caught.value)


def test_subjects_who_saw_other_trials_are_asked_about(tmp_path: Path) -> None:
    install_recording("before", study(tmp_path / "study", people=2))
    convert("before", tmp_path / "written", "bids-betas")
    path = next((tmp_path / "written" / "sub-08").rglob("*_run-1_events.tsv"))
    table = pd.read_csv(path, sep="\t", dtype=str)
    table.assign(rating="0.5").to_csv(path, sep="\t", index=False)
    with pytest.raises(
        UserError, match="sub-09 was shown other trials than sub-08: say whose to take by --subject"
    ):
        read_path(tmp_path / "written")


def test_what_has_no_place_is_one_line(tmp_path: Path) -> None:
    found = study(tmp_path / "study")
    install_recording("flat", replace(found, images={}))
    with pytest.raises(UserError, match="flat keeps no image of its voxels"):
        convert("flat", tmp_path / "written", "bids-betas")
    bins = pd.DataFrame({"time_bin_start": [0.0, 10], "time_bin_end": [10.0, 20]})
    deep = np.stack([found.values, found.values * 2], axis=2)
    install_recording("bins", replace(found, values=deep, time_bins=bins))
    with pytest.raises(UserError, match="bins has time bins, and a volume holds one number a voxel"):
        convert("bins", tmp_path / "written", "bids-betas")
    words = pd.DataFrame({"stimulus_id": ["a"], "story": "one", "onset": 0.0, "offset": 1.0, "word": "a"})
    shown = found.presentations.assign(stimulus_id="one", run="a", time=np.arange(18.0))
    install_recording(
        "story", replace(found, stimuli=words, presentations=shown, kind="series", tr=1.0, pictures={})
    )
    with pytest.raises(UserError, match="story is a series: betas in BIDS are responses to trials"):
        convert("story", tmp_path / "written", "bids-betas")
    twins = found.neuroids.assign(subject=["s-1" if i % 2 else "s1" for i in range(len(found.neuroids))])
    install_recording("twins", replace(found, neuroids=twins))
    with pytest.raises(UserError, match="would be 's1' in BIDS, which is no name or another's"):
        convert("twins", tmp_path / "written", "bids-betas")
    assert not (tmp_path / "written").exists()
