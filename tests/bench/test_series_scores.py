"""A model that reads a story word after word, or sees a film frame after frame, scored against a recording in time."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image

import brodmann
from brodmann import UserError
from brodmann.bench.benchmark import add_benchmark, list_benchmarks, make_benchmark
from brodmann.bench.layer_comparison import layer_features
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import load_model

TR, RUNS, SAMPLES = 2.0, 6, 60
FAST = {"n_bootstraps": 0, "n_permutations": 0}
rng = np.random.default_rng(0)


def series(values: np.ndarray, stimuli: StimulusSet, modality: str = "language", tr: float = TR) -> Dataset:
    n = len(values) // RUNS
    stories = np.repeat([f"s{i}" for i in range(RUNS)], n)
    responses = xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", stories),
            "run": ("presentation", stories),
            "time": ("presentation", np.tile(tr * np.arange(n), RUNS)),
            "neuroid_id": ("neuroid", [f"n{i}" for i in range(values.shape[1])]),
            "region": ("neuroid", ["R"] * values.shape[1]),
        },
    )
    stimuli.identifier = "told"
    return Dataset("told", modality, stimuli, responses, kind="series", tr=tr)


def story_words() -> StimulusSet:
    known = ["dog", "sat", "the", "house", "green", "runs", "a", "away", "under", "water", "book", "of"]
    rows = []
    for run in range(RUNS):
        onset = 0.2
        while onset < TR * SAMPLES:
            rows.append((f"s{run}-{len(rows)}", f"s{run}", str(rng.choice(known)), onset, onset + 0.3))
            onset += float(rng.uniform(0.3, 0.7))
    return StimulusSet(
        {
            name: [row[i] for row in rows]
            for i, name in enumerate(("stimulus_id", "story", "word", "onset", "offset"))
        }
    )


@pytest.fixture(scope="module")
def told() -> Dataset:
    """Voxels that answer one layer of a transformer, 2 to 8 s later, and noise of the same size."""
    stimuli, model = story_words(), load_model("random-transformer")
    silent = make_benchmark(series(rng.normal(size=(RUNS * SAMPLES, 8)), stimuli), trim_s=[0, 0])
    layer = model.layers[1]
    features = np.asarray(layer_features(model, silent, [layer])[layer])
    heard = features @ rng.normal(size=(features.shape[1], 8))
    heard /= heard.std(axis=0)
    return series(heard + rng.normal(size=heard.shape), stimuli)


def test_the_layer_that_the_voxels_answer_is_found_and_predicts_them(told: Dataset) -> None:
    score = brodmann.score("random-transformer", make_benchmark(told), **FAST)
    record = score.record
    assert record["layer"] == load_model("random-transformer").layers[1]
    assert 0.45 < record["raw"] < 0.75  # sqrt(1/2), less what few stories cost
    assert record["ceiling_kind"] == "none"
    said = record["methods"]
    assert said["context"] == "each text after the 20 before it" or "20" in said["context"]
    assert said["delays_s"] == [2, 4, 6, 8]
    assert said["downsample"] == "lanczos"
    assert said["group"] == "run"
    assert brodmann.score("random-transformer", make_benchmark(told), **FAST).cached


def test_words_that_come_later_change_nothing_earlier(told: Dataset) -> None:
    model, made = load_model("random-transformer"), make_benchmark(told, trim_s=[0, 0])
    layer = model.layers[0]
    before = np.asarray(layer_features(model, made, [layer])[layer])
    table = told.stimuli.copy()
    late = (table["story"] == "s5") & (table["onset"] > 80)
    table.loc[late, "word"] = "quite"
    other = series(told.responses.values, StimulusSet(table))
    after = np.asarray(layer_features(model, make_benchmark(other, trim_s=[0, 0]), [layer])[layer])
    times, stories = made.recording.columns["time"], made.recording.columns["story"]
    early = (stories != "s5") | (times.astype(float) < 80 - 3 * TR)

    def least_r(
        rows: np.ndarray,
    ) -> float:  # columns are standardized by all rows, which changes no r of some
        pairs = zip(before[rows].T, after[rows].T, strict=True)
        return min(np.corrcoef(*pair)[0, 1] for pair in pairs)

    assert least_r(early) > 1 - 1e-9
    assert least_r(~early) < 0.9


def test_options_of_a_benchmark_are_read_from_its_file_and_are_part_of_its_key(
    told: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        '["simulated-cortex-language.{language,other}-ridge"]\ncontext = 5\ndownsample = "hrf"\ntrim_s = [4, 0]\n'
        "folds = { by = 'run', n = 3, gap_s = 4 }\nspaces = ['position']\n"
    )
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    assert add_benchmark(file) == [
        "simulated-cortex-language.language-ridge",
        "simulated-cortex-language.other-ridge",
    ]
    card = list_benchmarks("simulated-cortex-language.other-ridge")[0]
    assert card.series is not None
    assert (card.series.downsample, card.series.trim_s, card.series.n) == ("hrf", (4.0, 0.0), 3)
    assert (card.context, card.beyond) == (5, ("position",))
    for name in ("told.{R-ridge", "told.R}-ridge", "told.{R,{S,T}}-ridge", "told.{}-ridge"):
        file.write_text(f'["{name}"]\n')
        with pytest.raises(UserError, match="write several regions"):
            add_benchmark(file)


def test_other_delays_are_another_score(told: Dataset) -> None:
    name = "random-transformer"
    layers = load_model(name).layers[1:2]
    first = brodmann.score(name, make_benchmark(told), layers, **FAST)
    second = brodmann.score(name, make_benchmark(told, delays_s=[0]), layers, **FAST)
    assert first.record["key"] != second.record["key"]
    assert float(second) < float(first) - 0.2


def test_frames_of_a_film_are_seen_by_a_vision_model(tmp_path: Path) -> None:
    tr, n = 1.0, 24
    rows = []
    for run in range(RUNS):
        for i in range(2 * n):
            path = tmp_path / f"{run}-{i}.png"
            Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(path)
            rows.append((f"f{run}-{i}", f"s{run}", str(path), i / 2, (i + 1) / 2))
    names = ("stimulus_id", "story", "filename", "onset", "offset")
    stimuli = StimulusSet({name: [row[i] for row in rows] for i, name in enumerate(names)})
    stimuli.stimulus_paths = {row[0]: Path(row[2]) for row in rows}
    options = {"trim_s": [0, 0], "downsample": "mean", "delays_s": [0], "detrend": "none"}
    blank = series(rng.normal(size=(RUNS * n, 4)), stimuli, "vision", tr)
    features = np.asarray(
        layer_features(load_model("pixels"), make_benchmark(blank, **options), ["pixels"])["pixels"]
    )
    assert len(features) == RUNS * n
    seen = series(features @ rng.normal(size=(features.shape[1], 4)), stimuli, "vision", tr)
    score = brodmann.score("pixels", make_benchmark(seen, **options), **FAST)
    assert float(score) > 0.2
    with pytest.raises(UserError, match="is a language model"):
        brodmann.score("random-transformer", make_benchmark(seen, **options), **FAST)
