"""RDMs of one's own: every layout gives the distances that went in, and what may be read in two ways is asked about."""

import pickle
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import rsatoolbox
import scipy.io
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

import brodmann
from brodmann import UserError
from brodmann.brain_data import Dataset
from brodmann.brain_data.catalogue import add_dataset
from brodmann.brain_data.formats.folder import load_folder

N = 12
IDS = [f"w{i:02d}" for i in range(N)]
WORDS = [
    "tree",
    "house",
    "dog",
    "a",
    "running",
    "somewhere",
    "else",
    "quietly",
    "the",
    "extraordinary",
    "sea",
    "night",
]


def distances(n=1, seed=0):
    points = np.random.default_rng(seed).normal(size=(n, N, 5))
    return np.linalg.norm(points[:, :, None] - points[:, None], axis=3)


def folder_of(tmp_path, toml="", n=N, **arrays):
    folder = tmp_path / "own"
    folder.mkdir(exist_ok=True)
    pd.DataFrame({"stimulus_id": IDS[:n], "word": WORDS[:n]}).to_csv(folder / "stimuli.csv", index=False)
    (folder / "dataset.toml").write_text(toml)
    if arrays:
        np.savez(folder / "rdms.npz", **arrays)
    return folder


def test_people_regions_and_sessions_are_told_apart(tmp_path):
    rdms = distances(8)
    folder = folder_of(
        tmp_path, rdms=rdms, region=np.repeat(["V1", "IT"], 4), subject=np.tile(["a", "a", "b", "b"], 2),
        session=np.tile([1, 2], 4),
    )  # fmt: skip
    found = load_folder(folder, "own")
    assert found.regions == ["V1", "IT"]
    assert found.responses is None
    np.testing.assert_allclose(found.rdms["IT"].values, rdms[4:].reshape(2, 2, N, N), rtol=1e-12)
    assert found.rdms["IT"]["subject"].values.tolist() == ["a", "b"]


@pytest.mark.parametrize("layout", ["square", "stack", "pairs", "rows of pairs", "MATLAB", "one by one"])
def test_however_they_are_stacked(tmp_path, layout):
    rdms = distances(3)
    pairs = np.array([squareform(one, checks=False) for one in rdms])
    shapes = {
        "square": rdms[0], "stack": rdms, "pairs": pairs[0], "rows of pairs": pairs,
        "MATLAB": np.moveaxis(rdms, 0, -1), "one by one": rdms[:1],
    }  # fmt: skip
    values = shapes[layout]
    several = layout in ("stack", "rows of pairs", "MATLAB")
    who = {"subject": np.array(["a", "b", "c"])} if several else {}
    folder = folder_of(tmp_path, 'rdms = "distance"\nregion = "IT"', rdms=values, **who)
    found = load_folder(folder, "own").rdms["IT"].values[:, 0]
    np.testing.assert_allclose(found, rdms if several else rdms[:1], rtol=1e-12)


@pytest.mark.parametrize("kind", ["npz", "mat", "h5", "csv"])
def test_rows_are_matched_by_stimulus(tmp_path, kind):
    (rdm,) = distances()
    order = np.random.default_rng(1).permutation(N)
    shuffled, names = rdm[np.ix_(order, order)], np.array(IDS)[order]
    folder = folder_of(tmp_path, 'region = "IT"')
    if kind == "npz":
        np.savez(folder / "rdms.npz", rdms=shuffled, stimulus_id=names)
    elif kind == "mat":
        scipy.io.savemat(folder / "rdms.mat", {"RDMs": shuffled, "stimulus_id": names.astype(object)})
    elif kind == "csv":
        pd.DataFrame(shuffled, index=names, columns=IDS).pipe(
            lambda table: (
                table.set_axis(names, axis=1)[IDS].rename_axis("stimulus_id").to_csv(folder / "rdms.csv")
            )
        )
    else:
        made = rsatoolbox.rdm.RDMs(shuffled[None], pattern_descriptors={"conds": names.tolist()})
        made.save(str(folder / "rdms.h5"))
    found = load_folder(folder, "own").rdms["IT"]
    np.testing.assert_allclose(found.values[0, 0], rdm, rtol=1e-12)
    assert found["stimulus"].values.tolist() == IDS


@pytest.mark.parametrize("ending", ["h5", "hdf5"])
def test_what_rsatoolbox_computes_and_saves_is_read_as_rsatoolbox_reads_it(tmp_path, ending):
    draw = np.random.default_rng(0)
    rdms = rsatoolbox.rdm.concat(
        [
            rsatoolbox.rdm.calc_rdm(
                rsatoolbox.data.Dataset(
                    draw.normal(size=(N, 20)), obs_descriptors={"stimulus_id": IDS},
                    descriptors={"subject": who, "roi": where},
                ),
                method="correlation", descriptor="stimulus_id",
            )
            for where in ("V1", "IT") for who in ("anna", "béla", "cyd")
        ]
    )  # fmt: skip
    rdms.rdm_descriptors["subject"] = ["anna", "bela", "cyd"] * 2
    folder = folder_of(tmp_path)
    rdms.save(str(folder / f"rdms.{ending}"), file_type="hdf5")
    theirs = rsatoolbox.rdm.load_rdms if hasattr(rsatoolbox.rdm, "load_rdms") else rsatoolbox.rdm.load_rdm
    expected = theirs(str(folder / f"rdms.{ending}"), file_type="hdf5").get_matrices()
    found = load_folder(folder, "own")
    assert found.regions == ["V1", "IT"]
    both = np.concatenate([found.rdms[one].values[:, 0] for one in ("V1", "IT")])
    np.testing.assert_allclose(both, expected, rtol=0, atol=1e-15)
    assert found.rdms["IT"]["subject"].values.tolist() == ["anna", "bela", "cyd"]


def test_pickles_run_nothing(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "rdms.pkl").write_bytes(pickle.dumps(rsatoolbox.rdm.RDMs(distances()).to_dict()))
    with pytest.raises(UserError, match="could execute code when read: refused"):
        load_folder(folder, "own")


def test_links_to_other_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["dissimilarities"] = squareform(distances()[0], checks=False)[None]
    folder = folder_of(tmp_path)
    with h5py.File(folder / "rdms.h5", "w") as file:
        file["dissimilarities"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "dissimilarities")
    with pytest.raises(UserError, match="lies in another file: refused"):
        load_folder(folder, "own")


@pytest.mark.parametrize("content", [b"", b"no file of that kind", b"\x89HDF\r\n\x1a\n" + b"\0" * 300])
def test_damaged_files_are_one_line(tmp_path, content):
    folder = folder_of(tmp_path)
    (folder / "rdms.h5").write_bytes(content)
    with pytest.raises(UserError, match="damaged or not an HDF5 file|no file of rsatoolbox"):
        load_folder(folder, "own")


def test_an_array_larger_than_memory_is_not_read(tmp_path):
    folder = folder_of(tmp_path)
    with h5py.File(folder / "rdms.h5", "w") as file:
        file.create_dataset("dissimilarities", (10**6, 10**6), "f8", chunks=(1000, 1000))
    assert (folder / "rdms.h5").stat().st_size < 1e5
    with pytest.raises(UserError, match="of memory"):
        load_folder(folder, "own")


def test_similarities_become_distances_in_the_opposite_order(tmp_path):
    likeness = np.corrcoef(np.random.default_rng(0).normal(size=(N, 30)))
    with pytest.raises(UserError, match='diagonal of 1 to 1.* say rdms = "similarity" or rdms = "distance"'):
        load_folder(folder_of(tmp_path, rdms=likeness), "own")
    found = (
        load_folder(folder_of(tmp_path, 'rdms = "similarity"', rdms=likeness), "own").rdms["region"].values
    )
    np.testing.assert_allclose(found[0, 0], 1 - likeness, atol=1e-12)
    with pytest.raises(UserError, match="distances of a stimulus to itself are 0"):
        load_folder(folder_of(tmp_path, 'rdms = "distance"', rdms=likeness), "own")
    pairs = likeness[np.triu_indices(N, k=1)]
    with pytest.raises(UserError, match="nothing says what they are"):
        load_folder(folder_of(tmp_path, rdms=pairs), "own")
    found = load_folder(folder_of(tmp_path, 'rdms = "similarity"', rdms=pairs), "own").rdms["region"].values
    np.testing.assert_allclose(found[0, 0], 1 - likeness, atol=1e-12)


def changed(**cells):
    rdm = distances()[0]
    for place, value in cells.items():
        rdm[tuple(int(one) for one in place[1:].split("_"))] = value
    return rdm


@pytest.mark.parametrize(
    ("arrays", "toml", "line"),
    [
        ({"rdms": changed(c2_5=np.nan)}, "", "1 entries are NaN .*'w02' with 'w05'"),
        ({"rdms": changed(c0_0=np.nan)}, "", "NaN .*'w00' with 'w00'.* a stimulus with itself 0"),
        ({"rdms": np.triu(distances()[0])}, "", "not symmetric .* fill both triangles"),
        ({"rdms": distances()[0][:5, :5]}, "", "12 stimuli, but the RDMs are of shape .*5, 5"),
        ({"rdms": 1 - np.eye(N)}, "", "same number for all pairs"),
        ({"rdms": distances()[0]}, 'rdms = "similarity"', "diagonal of 0, as distances have"),
        ({"rdms": distances()[0]}, 'rdms = "likeness"', "unknown kind of rdms .*similarity"),
        ({"rdms": distances()[0]}, 'rdms = "none"', "leave out one of them"),
        ({"rdms": distances(2)}, "", "2 RDMs of region, and nothing says whose: add subject"),
        (
            {"rdms": distances(2), "subject": ["a", "a"], "session": [1, 1]},
            "",
            "two RDMs are of region, subject a",
        ),
        ({"rdms": distances(3), "subject": ["a", "a", "b"]}, "", "no RDM of region, subject b, session 2"),
        ({"rdms": distances(3), "subject": ["a", "b"]}, "", "subject has 2 values, but there are 3 RDMs"),
        ({"rdms": distances(2), "subject": ["a", ""]}, "", "subject of RDM 2 is empty"),
        ({"rdms": distances()[0], "stimulus_id": ["x", *IDS[1:]]}, "", "different stimuli: 2 differ"),
        ({"rdms": distances()[0], "stimulus_id": [IDS[1], *IDS[1:]]}, "", "names 'w01' twice"),
        ({"rdms": distances()[0], "sujbect": ["a"]}, "", "unknown array of rdms.npz 'sujbect'.*'subject'"),
        ({"distances": distances()[0]}, "", "unknown array of rdms.npz 'distances'"),
        ({"rdms": distances()[0] * 1j}, "", "not real numbers"),
        ({"rdms": np.eye(N) * 2 + 1}, 'rdms = "similarity"', "same number"),
        (
            {"rdms": np.eye(N) - distances()[0]},
            "published_ceilings = {V9 = {value = 0.5}}",
            "diagonal of 1 to 1",
        ),
    ],
)
def test_what_is_no_rdm_is_one_line_with_its_place(tmp_path, arrays, toml, line):
    folder = folder_of(tmp_path, toml, **{name: np.asarray(values) for name, values in arrays.items()})
    with pytest.raises(UserError, match=line) as found:
        load_folder(folder, "own")
    assert "\n" not in str(found.value)


def test_rounding_of_the_triangles_is_evened_out(tmp_path):
    rdm = 1e6 * distances()[0]
    noisy = rdm * (1 + 1e-8 * np.random.default_rng(0).normal(size=rdm.shape))
    found = load_folder(folder_of(tmp_path, rdms=noisy), "own").rdms["region"].values[0, 0]
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(found, rdm, rtol=1e-7)


@pytest.mark.parametrize("diagonal", [0.0, 1.0, np.nan])
def test_responses_that_look_like_an_rdm_are_asked_about(tmp_path, diagonal):
    matrix = distances()[0] if diagonal == 0 else np.corrcoef(np.random.default_rng(0).normal(size=(N, 30)))
    np.fill_diagonal(matrix, diagonal)
    folder = folder_of(tmp_path)
    np.savez(folder / "responses.npz", responses=matrix, stimulus_id=IDS)
    with pytest.raises(UserError, match=r'12 x 12, symmetric .* rdms = "distance" .* rdms = "none"'):
        load_folder(folder, "own")
    with pytest.raises(UserError, match="as an RDM is"):
        Dataset.from_arrays("own", matrix, WORDS)
    if np.isnan(diagonal):
        return
    taken = load_folder(folder_of(tmp_path, 'rdms = "none"'), "own")
    assert taken.responses.shape == (N, N)
    assert Dataset.from_arrays("own", matrix, WORDS, rdms={}).responses.shape == (N, N)
    said = "similarity" if diagonal else "distance"
    as_rdm = load_folder(folder_of(tmp_path, f'rdms = "{said}"'), "own")
    assert as_rdm.responses is None
    np.testing.assert_allclose(
        as_rdm.rdms["region"].values[0, 0], 1 - matrix if diagonal else matrix, atol=1e-12
    )


def test_ordinary_square_responses_are_responses(tmp_path):
    folder = folder_of(tmp_path)
    np.savez(
        folder / "responses.npz", responses=np.random.default_rng(0).normal(size=(N, N)), stimulus_id=IDS
    )
    assert load_folder(folder, "own").responses.shape == (N, N)


def test_a_folder_holds_responses_or_rdms(tmp_path):
    folder = folder_of(tmp_path, rdms=distances()[0])
    np.savez(folder / "responses.npz", responses=np.ones((N, 2)), stimulus_id=IDS)
    with pytest.raises(UserError, match="rdms.npz, responses.npz: keep one"):
        load_folder(folder, "own")


def test_rdms_of_ones_own_are_scored(tmp_path):
    """Of one model by hand: r of the lengths of words, over the published ceiling."""
    lengths = np.array([len(one) for one in WORDS], float)
    own = np.abs(lengths[:, None] - lengths) + 0.5 * np.abs(np.subtract.outer(np.arange(N), np.arange(N)))
    folder = folder_of(
        tmp_path, '[published_ceilings.IT]\nvalue = 0.5\nsource = "table 2"', rdms=np.array([own, own.T]),
        region=np.array(["IT", "V1"]), subject=np.array(["a", "a"]),
    )  # fmt: skip
    add_dataset("own-rdms", folder)
    assert brodmann.brain_data.dataset_card("own-rdms").regions == ("IT", "V1")
    score = brodmann.score("word-length-frequency", "own-rdms.IT-rsa", n_permutations=99, n_bootstraps=50)
    record = score.attrs["record"]
    layer = brodmann.load_model("word-length-frequency")
    data = brodmann.load_dataset("own-rdms")
    features = layer.extract(data.stimuli)[record["layer"]].values
    pairs = np.triu_indices(N, k=1)
    far = np.round(
        1 - np.corrcoef(features.astype(float)), 5
    )  # of single precision, whose rounding parts no ties
    expected = spearmanr(far[pairs], own[pairs]).statistic
    assert record["raw"] == pytest.approx(expected, abs=1e-6)
    assert float(score) == pytest.approx(expected / 0.5, abs=1e-6)
    assert record["ceiling"] == 0.5
    assert "published" in str(record["methods"])
    without = brodmann.score("word-length-frequency", "own-rdms.V1-rsa", n_permutations=9, n_bootstraps=9)
    assert without.attrs["record"]["ceiling_kind"] == "none"


def test_the_command_line_takes_them_from_a_folder_to_a_score(tmp_path):
    folder = folder_of(tmp_path, rdms=distances(4), subject=np.array(list("abcd")), region=np.full(4, "IT"))
    for command in (
        ["data", "add", "own-by-hand", "--from", str(folder)],
        [
            "score",
            "word-length-frequency",
            "own-by-hand.IT-rsa",
            "--json",
            "--permutations",
            "9",
            "--bootstraps",
            "9",
        ],
    ):
        done = subprocess.run(
            [sys.executable, "-c", "from brodmann.bench.cli.main import main; main()", *command],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_distances_with_their_sign_turned_are_asked_about(tmp_path):
    with pytest.raises(UserError, match="no number above 0 off its diagonal"):
        load_folder(folder_of(tmp_path, rdms=-distances(1)[0]), "own")
    said = load_folder(folder_of(tmp_path, 'rdms = "distance"', rdms=-distances(1)[0]), "own")
    assert said.rdms["region"].values.max() == 0
