"""Scores as images: each voxel holds the score of its neuroid, and nothing else does."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from command_line import run_brodmann

from brodmann.bench import score
from brodmann.bench.benchmark import make_benchmark
from brodmann.bench.reports.brain_maps import record_at, scores_to_nifti
from brodmann.brain_data import Dataset, load_dataset
from brodmann.brain_data.formats.recording import read_recording, recognized
from brodmann.brain_data.imported import ReadOptions
from brodmann.brain_data.importing import install_recording
from brodmann.errors import UserError

AFFINE = np.array([[-2.0, 0, 0, 40], [0, 2, 0, -60], [0, 0, 2.5, -10], [0, 0, 0, 1]])
SHAPE, WORDS, REPEATS = (6, 5, 4), 60, 3
QUICK = {"n_bootstraps": 0, "n_permutations": 0}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Betas of sentences in a mask with holes, of which one voxel is NaN: what a laboratory has."""
    folder = tmp_path_factory.mktemp("betas")
    rng = np.random.default_rng(0)
    inside = rng.random(SHAPE) < 0.3
    sentences = [f"Sentence {i} is {'very ' * (i % 7)}short." for i in range(WORDS)]
    length = np.repeat([float(len(one)) for one in sentences], REPEATS)
    gain = rng.normal(size=SHAPE)
    betas = gain[..., None] * (length - length.mean()) + 20 * rng.normal(size=(*SHAPE, WORDS * REPEATS))
    betas[tuple(np.argwhere(inside)[3])] = np.nan
    nibabel.save(nibabel.Nifti1Image(betas.astype(np.float32), AFFINE), folder / "betas.nii")
    nibabel.save(nibabel.Nifti1Image(inside.astype(np.uint8), AFFINE), folder / "mask.nii.gz")
    ids = [f"s{i:02d}" for i in range(WORDS)]
    trials = {"stimulus_id": np.repeat(ids, REPEATS), "sentence": np.repeat(sentences, REPEATS)}
    pd.DataFrame(trials).to_csv(folder / "trials.tsv", sep="\t", index=False)
    kept = inside.copy()
    kept[tuple(np.argwhere(inside)[3])] = False
    return folder, kept


@pytest.fixture(scope="module")
def dataset(recorded):
    folder, _ = recorded
    found = read_recording(folder, ReadOptions(region="temporal"), recognized(folder))
    install_recording("betas", found)
    return load_dataset("betas")


@pytest.fixture(scope="module")
def scored(dataset, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    return score("word-length-frequency", make_benchmark(dataset), run=run, **QUICK)


def refused(words, *args, **options):
    with pytest.raises(UserError, match=words) as caught:
        scores_to_nifti(*args, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_each_voxel_holds_the_score_of_its_neuroid(scored, dataset, recorded, tmp_path, ending):
    _, kept = recorded
    paths = scores_to_nifti(scored, dataset, tmp_path / f"map{ending}")
    assert [one.name for one in paths] == [f"map{ending}", f"map_ceiling{ending}"]
    image, ceilings = (nibabel.load(one) for one in paths)
    assert np.abs(image.affine - AFFINE).max() < 1e-6
    assert image.shape == SHAPE
    volume = np.asarray(image.dataobj)
    assert volume[kept].tolist() == scored.attrs["raw"].values.tolist()
    assert np.isnan(volume[~kept]).all()
    assert np.asarray(ceilings.dataobj)[kept].tolist() == scored.attrs["ceiling"].attrs["raw"].values.tolist()
    assert bytes(image.header["descrip"]).startswith(b"r: word-length-frequency")


def test_the_record_gives_the_same_as_the_score(scored, dataset, tmp_path):
    record = record_at(Path(scored.attrs["record"]["file"]))
    first = scores_to_nifti(scored, dataset, tmp_path / "a.nii")[0]
    second = scores_to_nifti(record, dataset, tmp_path / "b.nii")[0]
    assert first.read_bytes() == second.read_bytes()


def test_a_voxel_that_explains_more_has_the_larger_score(scored, dataset, recorded, tmp_path):
    """The image is a map: a voxel that follows the length closely is bright in it."""
    volume = np.asarray(nibabel.load(scores_to_nifti(scored, dataset, tmp_path / "m.nii")[0]).dataobj)
    folder, kept = recorded
    betas = nibabel.load(folder / "betas.nii").get_fdata()
    trials = pd.read_csv(folder / "trials.tsv", sep="\t")
    length = trials["sentence"].str.len().to_numpy()
    r = np.array([abs(np.corrcoef(length, one)[0, 1]) for one in betas[kept]])
    assert np.corrcoef(r, volume[kept])[0, 1] > 0.9


def test_what_cannot_be_a_map(scored, dataset, recorded, tmp_path):
    refused(
        "a map of voxels is saved as .nii or .nii.gz, not 'map.png'", scored, dataset, tmp_path / "map.png"
    )
    moved = AFFINE.copy()
    moved[0, 3] += 1
    nibabel.save(nibabel.Nifti1Image(np.ones(SHAPE, np.uint8), moved), tmp_path / "moved.nii")
    refused(
        "neuroids lie on no voxel of moved.nii .*: is it their mask",
        scored, dataset, tmp_path / "map.nii", mask=tmp_path / "moved.nii",
    )  # fmt: skip
    nibabel.save(nibabel.Nifti1Image(np.eye(6, 5)[..., None] * np.ones(4), AFFINE), tmp_path / "other.nii")
    refused(
        "lie on no voxel of other.nii", scored, dataset, tmp_path / "map.nii", mask=tmp_path / "other.nii"
    )
    refused(
        "the score has no subject 'x', but names none", scored, dataset, tmp_path / "map.nii", subject="x"
    )
    refused("no mask at .*nowhere.nii", scored, dataset, tmp_path / "m.nii", mask=tmp_path / "nowhere.nii")
    plain = Dataset.from_arrays("betas", np.random.default_rng(0).normal(size=(8, 2, 3)), list("abcdefgh"))
    refused("betas keeps no image of its voxels: give one by --mask", scored, plain, tmp_path / "map.nii")
    other = Dataset.from_arrays("others", np.random.default_rng(0).normal(size=(8, 2, 3)), list("abcdefgh"))
    refused("the score is of betas, and the data set is others", scored, other, tmp_path / "map.nii")
    assert not list(tmp_path.glob("m*p*.nii.gz"))


def test_scores_of_several_people_are_a_map_of_each(dataset, recorded, tmp_path):
    folder, kept = recorded
    n = int(kept.sum())
    both = np.concatenate([dataset.responses.values] * 2, axis=1)
    both[:, n:] += np.random.default_rng(1).normal(size=(len(both), n)) * 30
    places = np.argwhere(kept) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    table = pd.DataFrame(dataset.stimuli)
    made = Dataset.from_arrays(
        "two",
        both.reshape(WORDS, REPEATS, -1),
        table,
        subject=["a"] * n + ["b"] * n,
        positions=np.tile(places, (2, 1)),
    )
    found = score("word-length-frequency", make_benchmark(made), run=tmp_path / "run", **QUICK)
    mask = folder / "mask.nii.gz"
    refused("of the subjects a, b: say whose by --subject", found, made, tmp_path / "m.nii", mask=mask)
    for place, name in enumerate("ab"):
        path = scores_to_nifti(found, made, tmp_path / f"{name}.nii", subject=name, mask=mask)[0]
        volume = np.asarray(nibabel.load(path).dataobj)
        assert volume[kept].tolist() == found.attrs["raw"].values[place * n : place * n + n].tolist()


def test_a_score_without_values_of_neuroids(dataset, tmp_path):
    found = score("word-length-frequency", make_benchmark(dataset, metric="rsa"), run=tmp_path, **QUICK)
    refused("has no score of its own for each neuroid", found, dataset, tmp_path / "map.nii")


def test_the_command(recorded, tmp_path):
    """From a folder of betas to a score and its map, by the command line alone."""
    folder, kept = recorded
    home = {"BRODMANN_HOME": str(tmp_path / "home")}
    done = run_brodmann("data", "add", "mapped", "--from", folder, "--region", "temporal", **home)
    assert done.returncode == 0, done.stderr
    assert "1 voxels without a number (NaN) in any volume" in done.stdout
    words = ("--run", tmp_path / "run", "--bootstraps", "0", "--permutations", "0", "--json")
    done = run_brodmann("score", "word-length-frequency", "mapped.temporal-ridge", *words, **home)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    done = run_brodmann("export-map", record["file"], "--to", tmp_path / "map.nii.gz", **home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == ["scores", str(tmp_path / "map.nii.gz")]
    volume = np.asarray(nibabel.load(tmp_path / "map.nii.gz").dataobj)
    raw = np.load(str(record["file"]).replace(".json", ".npz"))["raw"]
    assert volume[kept].tolist() == raw.tolist()
    nowhere = run_brodmann("export-map", tmp_path / "nothing.json", "--to", tmp_path / "m.nii", **home)
    assert nowhere.returncode == 2
    assert "no record at" in nowhere.stderr
