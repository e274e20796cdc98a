"""What predicts a recording in time beside a model, put at its samples: by hand on a made-up story, and on Alice."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

import brodmann
from brodmann import UserError
from brodmann.bench.benchmark import make_benchmark
from brodmann.bench.nuisance_spaces import open_space
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.brain_data.timeseries.regressors import standardized

TR, N = 2.0, 40
SUBJECTS = ("s1", "s2")
AS_IS = {"downsample": "sum", "delays_s": [2], "trim_s": [0, 0]}


def words():
    """Two stories, in the order of a table that is not that of the runs."""
    rng = np.random.default_rng(0)
    parts = []
    for story, n in (("two", 90), ("one", 110)):
        onset = np.sort(rng.uniform(0, TR * N, n))
        parts.append(
            pd.DataFrame(
                {
                    "story": story,
                    "word": rng.choice(["a", "dog", "ran", "yesterday"], n),
                    "onset": onset,
                    "offset": onset + 0.2,
                    "phonemes": rng.integers(1, 6, n),
                    "kind": rng.choice(["noun", "verb"], n),
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "stimulus_id", [f"w{i}" for i in range(len(table))])
    return StimulusSet(table)


def told(stimuli=None, *, modality="language", confounds=None, **on_samples):
    rng = np.random.default_rng(1)
    stories = np.repeat(["one", "two"], N)
    responses = xr.DataArray(
        rng.normal(size=(2 * N, 6)),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", stories),
            "run": ("presentation", np.repeat(["run1", "run2"], N)),
            "time": ("presentation", np.tile(TR * np.arange(N), 2)),
            **{name: ("presentation", values) for name, values in on_samples.items()},
            "neuroid_id": ("neuroid", [f"{s}-{i}" for s in SUBJECTS for i in range(3)]),
            "region": ("neuroid", ["V1"] * 6),
            "subject": ("neuroid", np.repeat(SUBJECTS, 3)),
        },
    )
    return Dataset(
        "told",
        modality,
        words() if stimuli is None else stimuli,
        responses,
        kind="series",
        tr=TR,
        confounds=confounds,
    )


def by_hand(values, table, late=1):
    """Sums of each story's words in [t, t + TR), one sample later, by a plain loop."""
    found = []
    for story in ("one", "two"):
        rows = (table["story"] == story).to_numpy()
        middle = ((table["onset"] + table["offset"]) / 2).to_numpy()[rows]
        sums = [values[rows][(middle >= TR * j) & (middle < TR * (j + 1))].sum(axis=0) for j in range(N)]
        found += [np.zeros_like(sums[0])] * late + sums[: N - late]
    return standardized(np.array(found))


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("word-rate", lambda table: np.ones(len(table))),
        ("word-length", lambda table: table["word"].str.len().to_numpy()),
        (
            "word-frequency",
            lambda table: np.log(table["word"].map(table["word"].value_counts())).to_numpy(),
        ),
        ("word-duration", lambda table: (table["offset"] - table["onset"]).to_numpy()),
        ("phoneme-rate", lambda table: table["phonemes"].to_numpy()),
        ("onset", lambda table: table["onset"].to_numpy()),
        ("kind", lambda table: np.stack([table["kind"] == one for one in ("noun", "verb")], axis=1)),
    ],
)
def test_properties_of_words_are_put_at_the_samples_story_by_story(name, of):
    benchmark = make_benchmark(told(), "V1", "ridge", **AS_IS)
    (found,) = open_space(name, benchmark).features()
    values = np.asarray(of(words()), float)
    expected = by_hand(values.reshape(len(values), -1), words())
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_every_delay_is_a_column():
    benchmark = make_benchmark(told(), "V1", "ridge", **{**AS_IS, "delays_s": [2, 6]})
    (found,) = open_space("word-rate", benchmark).features()
    ones = np.ones((len(words()), 1))
    np.testing.assert_allclose(found[:, :1], by_hand(ones, words(), 1), atol=1e-9)
    np.testing.assert_allclose(found[:, 1:], by_hand(ones, words(), 3), atol=1e-9)


def test_position_is_that_of_samples_in_their_run():
    benchmark = make_benchmark(told(), "V1", "ridge", **AS_IS)
    (found,) = open_space("position", benchmark).features()
    place = np.tile(np.linspace(-1, 1, N), 2)
    np.testing.assert_allclose(found, np.stack([place, place**2], axis=1), atol=1e-12)


def test_what_was_measured_at_the_samples_stays_there():
    loud = np.random.default_rng(2).uniform(size=2 * N)
    benchmark = make_benchmark(told(sound_power=loud), "V1", "ridge", **AS_IS)
    (found,) = open_space("sound-power", benchmark).features()
    np.testing.assert_allclose(found[:, 0], loud)
    table = words().assign(sound_power=np.arange(200.0))
    (found,) = open_space("sound-power", make_benchmark(told(table), "V1", "ridge", **AS_IS)).features()
    np.testing.assert_allclose(found, by_hand(np.arange(200.0)[:, None], table), atol=1e-9)


def moved(names):
    rng = np.random.default_rng(3)
    return pd.DataFrame({f"{one}:{name}": rng.normal(size=2 * N) for one in SUBJECTS for name in names})


SIX = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]


@pytest.mark.parametrize("names", [[*SIX[::-1], "csf"], [f"motion{i}" for i in range(1, 7)], list("012345")])
def test_movements_of_several_heads_are_standardized_in_each_run_and_averaged(names):
    confounds = moved(names)
    benchmark = make_benchmark(told(confounds=confounds), "V1", "ridge", **AS_IS)
    (found,) = open_space("head-motion", benchmark).features()
    order = SIX if "csf" in names else names
    runs = np.repeat([0, 1], N)
    each = [standardized(confounds[[f"{one}:{name}" for name in order]], runs) for one in SUBJECTS]
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-12)


def test_the_movements_of_one_person_are_that_persons():
    confounds = moved(SIX)
    confounds.loc[:5, [column for column in confounds if column.startswith("s2")]] = np.nan
    (found,) = open_space(
        "head-motion", make_benchmark(told(confounds=confounds), "V1", "ridge", **AS_IS)
    ).features()
    own = confounds[[f"s1:{name}" for name in SIX]]
    np.testing.assert_allclose(found, standardized(own, np.repeat([0, 1], N)), atol=1e-12)


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("head-motion", {}, "there are no movements of the head"),
        (
            "head-motion",
            {"confounds": moved(["csf", "wm"])},
            "none of the confounds are movements of the head",
        ),
        (
            "head-motion",
            {"confounds": moved(SIX) * np.nan},
            "the movements of nobody's head are known in all runs",
        ),
        ("sound-power", {}, "the stimuli have no column 'sound_power'"),
        ("word-rat", {}, "unknown nuisance space, column or model 'word-rat': did you mean 'word-rate'"),
    ],
)
def test_what_is_not_known_is_one_line(name, change, line):
    benchmark = make_benchmark(told(**change), "V1", "ridge", **AS_IS)
    with pytest.raises(UserError, match=line) as error:
        open_space(name, benchmark).features()
    assert "\n" not in str(error.value)


def test_a_baseline_as_a_model_is_the_same_as_a_space():
    benchmark = make_benchmark(told(), "V1", "ridge", **AS_IS)
    from brodmann.bench.layer_comparison import layer_features

    model = brodmann.load_model("word-rate")
    features = layer_features(model, benchmark, ["rate"])["rate"]
    (space,) = open_space("word-rate", benchmark).features()
    np.testing.assert_allclose(features, space, atol=1e-6)
    three = brodmann.load_model("word-properties")
    features = layer_features(three, benchmark, three.layers)[three.layers[0]]
    parts = [
        open_space(one, benchmark).features()[0] for one in ("word-rate", "word-length", "word-frequency")
    ]
    np.testing.assert_allclose(features, np.hstack(parts), atol=1e-5)


def test_frames_of_a_film_are_averaged_in_each_sample(tmp_path):
    rng = np.random.default_rng(4)
    rows, pixels = [], []
    for story in ("one", "two"):
        for i in range(4 * N):
            grey = rng.integers(0, 256, dtype=np.uint8)
            Image.fromarray(np.full((8, 8, 3), grey)).save(tmp_path / f"{story}{i}.png")
            rows.append((f"{story}{i}", f"{story}{i}.png", story, i / 2, (i + 1) / 2))
            pixels.append(grey)
    frames = StimulusSet(pd.DataFrame(rows, columns=["stimulus_id", "filename", "story", "onset", "offset"]))
    frames.stimulus_paths = {one: tmp_path / f"{one}.png" for one in frames["stimulus_id"]}
    data = told(frames, modality="vision")
    benchmark = make_benchmark(data, "V1", "ridge", **{**AS_IS, "downsample": "mean"})
    from brodmann.bench.layer_comparison import layer_features

    model = brodmann.load_model("pixels")
    found = np.asarray(layer_features(model, benchmark, model.layers)[model.layers[0]])
    means = np.array(pixels, float).reshape(2, N, 4).mean(axis=2)
    late = np.hstack([np.zeros((2, 1)), means[:, :-1]])
    # pixels are normalized before they are averaged, which a z-score undoes but for the first, empty sample
    for row in range(2):
        r = np.corrcoef(found[row * N + 1 : (row + 1) * N, 0], late[row, 1:])[0, 1]
        assert r == pytest.approx(1, abs=1e-4)
    with pytest.raises(
        UserError, match="is the same for every stimulus|have no text whose words could be counted"
    ):
        open_space("word-rate", benchmark).features()
