"""Time courses in a folder, with the words that were heard: read as they are, and what is wrong in one line each."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brodmann import load_dataset, load_model
from brodmann.bench.benchmark import make_benchmark
from brodmann.bench.layer_comparison import layer_features
from brodmann.brain_data.formats.folder import is_own_layout
from brodmann.brain_data.formats.recording import read_path
from brodmann.brain_data.imported import ReadOptions
from brodmann.brain_data.importing import described, install_recording
from brodmann.errors import UserError

DESCRIPTION = """
kind = "series"
modality = "language"
tr = 2.0
license = "CC0"
[words]
file = "words.csv"
[runs.one]
responses = "one/*-bold.txt"
columns = ["A", "B"]
first_sample = 4.0
confounds = "one/*-rp.txt"
skip_confounds = 2
[runs.two]
responses = "two/*-bold.txt"
columns = ["A", "B"]
first_sample = 0.0
story = "other"
"""


def bold(subject: int, run: int, n: int) -> np.ndarray:
    """The numbers of one file."""
    return np.random.default_rng((subject, run)).normal(size=(n, 2))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three people in two runs, of which the third has no second run."""
    root = tmp_path / "told"
    for name, run, n, people in (("one", 0, 30, (1, 2, 3)), ("two", 1, 20, (1, 2))):
        (root / name).mkdir(parents=True)
        for subject in people:
            np.savetxt(root / name / f"s{subject}-bold.txt", bold(subject, run, n))
            np.savetxt(
                root / name / f"s{subject}-rp.txt", np.arange((n + 2) * 3).reshape(n + 2, 3) + 100 * subject
            )
    words = pd.DataFrame(
        {
            "story": ["one"] * 40 + ["other"] * 20,
            "word": [f"w{i}" for i in range(60)],
            "onset": [4 + 0.5 * i for i in range(40)] + [0.5 * i for i in range(20)],
        }
    )
    words.assign(offset=words["onset"] + 0.4).to_csv(root / "words.csv", index=False)
    (root / "dataset.toml").write_text(DESCRIPTION)
    return root


def test_every_number_stands_where_it_was_recorded(folder: Path) -> None:
    assert not is_own_layout(folder)
    kind, found = read_path(folder)
    values = np.asarray(found.values[:, :])
    assert kind.name == "series-folder"
    assert found.neuroids["neuroid_id"].tolist() == ["s1-A", "s1-B", "s2-A", "s2-B", "s3-A", "s3-B"]
    assert np.allclose(values[:30, 2:4], bold(2, 0, 30))
    assert np.allclose(values[30:, :2], bold(1, 1, 20))
    assert np.isnan(values[30:, 4:]).all()
    assert found.presentations["time"].tolist() == [4 + 2 * i for i in range(30)] + [2 * i for i in range(20)]
    assert found.presentations["stimulus_id"].tolist() == ["one"] * 30 + ["other"] * 20
    assert found.confounds is not None
    assert found.confounds["s2:0"].iloc[:2].tolist() == [
        206,
        209,
    ]  # the first two rows were before the first sample
    assert found.confounds["s2:0"].iloc[30:].isna().all()
    assert (found.kind, found.tr, found.blocks, dict(found.about)) == (
        "series",
        2.0,
        "run",
        {"license": "CC0"},
    )
    assert len(found.stimuli) == 60


def test_subjects_runs_and_regions_are_chosen_by_options(folder: Path) -> None:
    found = read_path(folder, ReadOptions(subject="s2", run="two", region="B", tr="2"))[1]
    assert found.values.shape == (20, 1)
    assert set(found.stimuli["story"]) == {"other"}
    assert np.allclose(np.asarray(found.values[:, :])[:, 0], bold(2, 1, 20)[:, 1])


def test_a_subject_without_signal_is_named_and_counted(folder: Path) -> None:
    np.savetxt(folder / "one" / "s3-bold.txt", np.ones((30, 2)))
    found = read_path(folder)[1]
    assert dict(found.left_out) == {"subjects whose time courses never vary (s3)": 1}
    assert set(found.neuroids["subject"]) == {"s1", "s2"}


def test_alice_as_it_was_published(test_data: Path, tmp_path: Path) -> None:
    source = test_data / "brennan2016-alice"
    if not source.is_dir():
        pytest.skip(f"no real files: {source} is absent")
    folder = tmp_path / "alice"
    shutil.copytree(source / "data" / "6mm", folder / "6mm")
    for file in [*(source / "data").glob("*-rp_*.txt"), *(source / "stim").glob("*.TextGrid")]:
        shutil.copyfile(file, folder / file.name)
    columns = '["LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG"]'
    (folder / "dataset.toml").write_text(
        'kind = "series"\nmodality = "language"\ntr = 2.0\n[words]\nfile = "*.TextGrid"\n[runs.chapter1]\n'
        f'responses = "6mm/*-timecourses.txt"\ncolumns = {columns}\nfirst_sample = 20.0\n'
        'confounds = "*-rp_*.txt"\nskip_confounds = 10\n'
    )
    found = read_path(folder)[1]
    assert (len(found.stimuli), found.values.shape) == (2127, (362, 162))
    assert dict(found.left_out) == {"subjects whose time courses never vary (s33)": 1}
    assert found.stimuli["onset"].iloc[0] == pytest.approx(20.06, abs=0.01)
    install_recording("alice-as-published", found)
    assert "the rate of words agrees best with the mean response as it is" in described(found)["said"][-1]
    (folder / "dataset.toml").write_text((folder / "dataset.toml").read_text().replace("20.0", "24.0"))
    late = described(read_path(folder)[1])["said"][-1]
    assert "2 samples earlier" in late
    assert "the first sample seems to be at 20 s, not 24 s" in late


def edited(name: str, old: str, new: str) -> Callable[[Path], None]:
    """A change of one text in one file."""

    def change(folder: Path) -> None:
        path = folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return change


def pickled(folder: Path) -> None:
    """An array of objects where numbers should be."""
    np.save(folder / "one" / "s1-bold.npy", np.array([{}], object))
    edited("dataset.toml", "one/*-bold.txt", "one/*-bold.npy")(folder)


BROKEN = [
    (edited("dataset.toml", "tr = 2.0\n", ""), "tr must be the seconds from sample to sample, not None"),
    (edited("dataset.toml", 'kind = "series"', 'kind = "trials"'), 'it must say kind = "series"'),
    (edited("dataset.toml", "first_sample = 4.0\n", ""), r"\[runs.one\] needs first_sample"),
    (edited("dataset.toml", "one/*-bold.txt", "uno/*-bold.txt"), "there is no file 'uno/"),
    (edited("dataset.toml", "one/*-bold.txt", "../*-bold.txt"), "would leave the folder"),
    (edited("dataset.toml", '["A", "B"]\nfirst_sample = 4', '["A"]\nfirst_sample = 4'), "names 1 columns, .* have 2"),
    (edited("dataset.toml", "skip_confounds = 2\n", ""), "the confounds of s1 have 32 rows, its responses 30"),
    (edited("dataset.toml", 'story = "other"', 'story = "third"'), "no words of the story 'third'"),
    (edited("dataset.toml", "first_sample = 4.0", "first_sample = -60.0"), "40 words of 'one' begin later"),
    (edited("dataset.toml", "columns", "colums"), r"unknown entry of \[runs.one\] 'colums': did you mean 'columns'"),
    (edited("dataset.toml", 'file = "words.csv"', ""), r"needs \[words\] with file"),
    (edited("words.csv", ",w3,", ",w3,x"), "'w3' .*has no time"),
    (edited("words.csv", "story,word", "tale,word"), "begins before the one above it"),
    (lambda folder: np.savetxt(folder / "one" / "s2-bold.txt", bold(2, 0, 29)), "s2 has 29 samples of 2 columns"),
    (lambda folder: (folder / "one" / "s2-bold.txt").write_text("a b\n1 2\n"), "s2-bold.txt is no table of numbers"),
    (pickled, "a pickle by another name: refused"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "line"), BROKEN, ids=[line for _, line in BROKEN])
def test_what_is_wrong_is_one_line(folder: Path, change: Callable[[Path], object], line: str) -> None:
    change(folder)
    with pytest.raises(UserError, match=line) as error:
        read_path(folder)
    assert "\n" not in str(error.value)


def test_a_story_in_two_parts_ends_with_the_second(folder: Path) -> None:
    parts = [folder / "one" / f"s{subject}-bold.txt" for subject in (1, 2, 3)]
    for file in parts:
        values = np.loadtxt(file)
        np.savetxt(file, values[:5])
        np.savetxt(file.with_name(file.name.replace("bold", "rest")), values[5:])
    edited("dataset.toml", 'confounds = "one/*-rp.txt"\nskip_confounds = 2\n', "")(folder)
    with pytest.raises(UserError, match="words of 'one' begin later"):
        read_path(folder)
    rest = '[runs.rest]\nstory = "one"\nresponses = "one/*-rest.txt"\ncolumns = ["A", "B"]\nfirst_sample = 14.0\n'
    edited("dataset.toml", "[runs.two]", rest + "[runs.two]")(folder)
    assert len(read_path(folder)[1].values) == 50


def test_columns_are_known_by_name_in_every_file_and_run(folder: Path) -> None:
    """A file that keeps them in another order, or a run that names them so, is not another region."""
    (folder / "dataset.toml").write_text(DESCRIPTION.replace("two/*-bold.txt", "two/*-bold.csv"))
    for subject, order in ((1, "AB"), (2, "BA")):
        table = pd.DataFrame(bold(subject, 1, 20), columns=["A", "B"])
        table[list(order)].to_csv(folder / "two" / f"s{subject}-bold.csv", index=False)
    for columns in ('["A", "B"]', '["B", "A"]'):
        said = (folder / "dataset.toml").read_text().split("[runs.two]")
        (folder / "dataset.toml").write_text(said[0] + "[runs.two]" + said[1].replace('["A", "B"]', columns))
        found = read_path(folder)[1]
        names = found.neuroids["neuroid_id"].tolist()
        values = np.asarray(found.values[30:50, :])
        for subject in (1, 2):
            truth = bold(subject, 1, 20)
            for i, region in enumerate("AB"):
                np.testing.assert_allclose(values[:, names.index(f"s{subject}-{region}")], truth[:, i])
    table.rename(columns={"B": "C"}).to_csv(folder / "two" / "s2-bold.csv", index=False)
    with pytest.raises(UserError, match="its header names A, C, and the columns are"):
        read_path(folder)
    table.to_csv(folder / "two" / "s2-bold.csv", index=False, header=False)
    with pytest.raises(UserError, match="has no header"):
        read_path(folder)


@pytest.mark.parametrize(
    ("option", "value", "line"),
    [
        ("run", "one,three", "unknown run 'three'"),
        ("subject", "s1,s9", "unknown subject 's9'"),
        ("region", "A,Z", "unknown region 'Z'"),
        ("tr", "2000", "2000 s from sample to sample, or are these ms"),
    ],
)
def test_a_name_that_is_not_there_is_never_passed_over(
    folder: Path, option: str, value: str, line: str
) -> None:
    with pytest.raises(UserError, match=line):
        read_path(folder, ReadOptions(**{option: value}))


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("skip_confounds = 2", 'skip_confounds = "2"', "skip_confounds must be how many rows come first"),
        ("one/*-bold.txt", "one/**bold.txt", "is no name of files"),
        (
            'columns = ["A", "B"]\nfirst_sample = 0.0',
            'columns = ["A", "C"]\nfirst_sample = 0.0',
            "must be the same",
        ),
    ],
)
def test_what_a_description_cannot_mean_is_one_line(folder: Path, before: str, after: str, line: str) -> None:
    (folder / "dataset.toml").write_text(DESCRIPTION.replace(before, after))
    with pytest.raises(UserError, match=line):
        read_path(folder)


def grid(*tiers: tuple[str, list[tuple[float, float, str]]]) -> str:
    """A TextGrid in its short form."""
    lines = ['"ooTextFile"', '"TextGrid"', "0", "100", "<exists>", str(len(tiers))]
    for name, rows in tiers:
        lines += ['"IntervalTier"', f'"{name}"', "0", "100", str(len(rows))]
        lines += [line for start, stop, text in rows for line in (str(start), str(stop), f'"{text}"')]
    return "\n".join(lines) + "\n"


SPOKEN = [(0.0, 4.0, "sp"), (4.0, 4.5, "dogs"), (4.5, 4.6, "a"), (4.6, 5.0, "ran")]
SOUNDS = [(0.0, 4.0, "sil"), (4.0, 4.1, "D"), (4.1, 4.25, "AO"), (4.25, 4.4, "G"), (4.4, 4.52, "Z"), (4.52, 4.6, "AH"),
          (4.6, 4.7, "R"), (4.7, 4.9, "AE"), (4.9, 5.0, "N"), (5.0, 6.0, "sp")]  # fmt: skip


def test_phonemes_of_a_second_tier_are_counted_by_word(folder: Path) -> None:
    for story, late in (("one", 0.0), ("other", -2.0)):
        tiers = [
            (name, [(max(0, start + late), stop + late, text) for start, stop, text in rows])
            for name, rows in (("phones", SOUNDS), ("words", SPOKEN))
        ]
        (folder / f"{story}.TextGrid").write_text(grid(*tiers))
    described_so = DESCRIPTION.replace(
        'file = "words.csv"', 'file = "*.TextGrid"\n[phonemes]\ntier = "phones"'
    )
    (folder / "dataset.toml").write_text(described_so)
    found = read_path(folder)[1].stimuli
    assert found["word"].tolist() == ["dogs", "a", "ran"] * 2
    assert (
        found["phonemes"].tolist() == [4, 1, 3] * 2
    )  # Z begins in "dogs" and ends in "a": its middle decides
    assert found["onset"].tolist() == [4, 4.5, 4.6, 2, 2.5, pytest.approx(2.6)]


def test_phonemes_may_lie_in_a_table_of_their_own(folder: Path) -> None:
    onset = [4.0, 4.1, 4.2, 4.6, 0.1]
    pd.DataFrame(
        {"onset": onset, "offset": [one + 0.05 for one in onset], "story": ["one"] * 4 + ["other"]}
    ).to_csv(folder / "sounds.csv", index=False)
    (folder / "dataset.toml").write_text(DESCRIPTION + '[phonemes]\nfile = "sounds.csv"\n')
    found = read_path(folder)[1].stimuli
    assert found["phonemes"].tolist()[:2] == [3, 1]
    assert found["phonemes"].tolist()[40] == 1
    assert found["phonemes"].sum() == 5


FRAMES = DESCRIPTION.replace('modality = "language"', 'modality = "vision"').replace(
    '[words]\nfile = "words.csv"', '[frames]\nfile = "frames.csv"\nfolder = "pictures"'
)


@pytest.fixture
def film(folder: Path) -> Path:
    """The same folder with two films of which every frame is a picture."""
    (folder / "pictures").mkdir()
    table = pd.read_csv(folder / "words.csv").drop(columns="word")
    table["filename"] = [f"{i:03d}.png" for i in range(len(table))]
    for i, name in enumerate(table["filename"]):
        Image.fromarray(np.full((4, 4, 3), 4 * i, np.uint8)).save(folder / "pictures" / name)
    table.to_csv(folder / "frames.csv", index=False)
    (folder / "dataset.toml").write_text(FRAMES)
    return folder


def test_frames_of_a_film_are_pictures_with_times(film: Path) -> None:
    found = read_path(film)[1]
    assert (found.modality, found.kind, len(found.stimuli)) == ("vision", "series", 60)
    assert found.pictures["one-00003"] == film / "pictures" / "003.png"
    install_recording("a-film", found)
    dataset = load_dataset("a-film")
    assert dataset.stimuli["filename"].nunique() == 60
    assert dataset.stimuli["onset"].tolist()[:2] == [4.0, 4.5]
    shown = dataset.stimuli.stimulus_paths or {}
    assert np.asarray(Image.open(shown["other-00041"])).max() == 164
    benchmark = make_benchmark(dataset, "A", "ridge", downsample="mean", delays_s=[2], trim_s=[0, 0])
    features = layer_features(load_model("pixels"), benchmark, ["pixels"])["pixels"]
    assert np.asarray(features).shape[0] == 50


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            edited("dataset.toml", "frames.csv", "film.mp4"),
            "film.mp4 is a video, which is not read: make pictures of it",
        ),
        (edited("frames.csv", "003.png", "film.mp4"), "film.mp4 is a video, which is not read"),
        (edited("frames.csv", "003.png", "absent.png"), "names the frame 'absent.png', which is not in"),
        (edited("frames.csv", "003.png", "../../../003.png"), "would leave the folder: refused"),
        (edited("dataset.toml", 'file = "frames.csv"\n', ""), r"\[frames\] needs file = \"frames.csv\""),
        (
            edited("dataset.toml", "folder", "foldr"),
            r"unknown entry of \[frames\] 'foldr': did you mean 'folder'",
        ),
        (
            edited("dataset.toml", 'story = "other"', 'story = "third"'),
            "there are no frames of the story 'third'",
        ),
        (
            edited("dataset.toml", "first_sample = 4.0", "first_sample = -60.0"),
            "40 frames of 'one' begin later",
        ),
    ],
    ids=range(8),
)
def test_what_is_wrong_with_a_film_is_one_line(
    film: Path, change: Callable[[Path], object], line: str
) -> None:
    change(film)
    with pytest.raises(UserError, match=line) as error:
        read_path(film)
    assert "\n" not in str(error.value)


def test_phonemes_that_are_nowhere_are_one_line(folder: Path) -> None:
    for entry, line in (
        ('[phonemes]\ntier = "phones"\n', r"\[phonemes\] needs a file, or a tier of the words' TextGrid"),
        ('[phonemes]\nfile = "absent.csv"\n', r"\[phonemes\]: there is no file 'absent.csv'"),
        ('[phonemes]\ntiers = "x"\n', r"unknown entry of \[phonemes\] 'tiers': did you mean 'tier'"),
    ):
        (folder / "dataset.toml").write_text(DESCRIPTION + entry)
        with pytest.raises(UserError, match=line) as error:
            read_path(folder)
        assert "\n" not in str(error.value)
