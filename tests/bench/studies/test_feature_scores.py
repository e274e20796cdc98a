"""Features that voxels read, and features that they do not: scores beside their controls, up to the board."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from boards import document, score
from torch import nn

import brodmann
from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.bench import make_benchmark
from brodmann.bench.leaderboard import gathered, parse_submission
from brodmann.bench.results.store import finite
from brodmann.bench.studies.feature_model import FeatureModel, Reading, of_dictionary
from brodmann.bench.studies.feature_scores import FeatureDesign, feature_scores, summary
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.errors import UserError
from brodmann.models import LanguageModel
from brodmann.models.extraction.stimulus_rows import stimulus_rows

N_TOKENS, N_UNITS, N_TEXTS, N_WORDS, N_STORIES = 60, 20, 200, 7, 20
SIGNS = [chr(0x4E00 + i) for i in range(N_TOKENS)]
DESIGN = FeatureDesign(
    n_controls=5, n_fold_seeds=1, sizes=(1, 2, 4, 8, 16), n_bootstraps=100, n_permutations=19, n_shuffles=19
)


class Looked(nn.Module):
    """Every token has a vector; nothing else happens."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(N_TOKENS, N_UNITS)
        self.act = nn.Identity()
        with torch.no_grad():
            self.embed.weight.copy_(
                torch.randn(N_TOKENS, N_UNITS, generator=torch.Generator().manual_seed(1))
            )

    def forward(self, input_ids, attention_mask=None):
        return self.act(self.embed(input_ids))


@pytest.fixture(scope="module")
def model():
    return LanguageModel(
        Looked(), lambda text: [SIGNS.index(sign) for sign in text], identifier="looked", layers=["act"],
        pooling="mean", cache=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def dictionary(model):
    """A feature a token, three times as many as units: the codes of a text are how often each token stands in it."""
    vectors = model.module.embed.weight.detach()
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    # a row answers its own direction most; equal lengths are not needed for the largest to be the right one
    weights = Weights(
        vectors,
        unit,
        -(vectors**2).sum(dim=1) / 2 + vectors.norm(dim=1).max() ** 2 / 2,
        torch.zeros(N_UNITS),
        k=1,
    )
    return Dictionary(weights, torch.zeros(N_UNITS), 1.0, "topk")


def told(reads, seed=0):
    """Voxels of two subjects that read how often three tokens stand in a text, or nothing of it."""
    generator = np.random.default_rng(seed)
    tokens = generator.integers(0, N_TOKENS, (N_TEXTS, N_WORDS))
    counts = np.stack([(tokens[:, 1:] == token).sum(axis=1) for token in range(N_TOKENS)], axis=1)
    chosen = np.stack([generator.choice(N_TOKENS, 3, replace=False) for _ in range(8)])
    clean = np.stack([counts[:, one].sum(axis=1) for one in chosen], axis=1).astype(float)
    noise = generator.normal(size=(N_TEXTS, 2, 8))
    values = (reads * clean / clean.std(axis=0))[:, None] + noise
    ids = [f"t{i:03d}" for i in range(N_TEXTS)]
    texts = ["".join(SIGNS[token] for token in one) for one in tokens]
    story = [f"story{i % N_STORIES:02d}" for i in range(N_TEXTS)]
    stimuli = StimulusSet(pd.DataFrame({"stimulus_id": ids, "sentence": texts, "story": story}))
    stimuli.identifier = "told"
    responses = xr.DataArray(
        values.reshape(2 * N_TEXTS, 8),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", np.repeat(ids, 2).astype(object)),
            "repetition": ("presentation", np.tile([0, 1], N_TEXTS)),
            "neuroid_id": ("neuroid", np.array([f"n{i}" for i in range(8)], object)),
            "region": ("neuroid", np.array(["A"] * 6 + ["B"] * 2, object)),
        },
    )
    return Dataset("told", modality="language", stimuli=stimuli, responses=responses), chosen, counts


@pytest.fixture(scope="module")
def benchmark():
    dataset, chosen, counts = told(1.5)
    return make_benchmark(dataset, "A", "ridge", group="story"), chosen, counts


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def found(model, dictionary, benchmark, run):
    return feature_scores(model, "act", dictionary, benchmark[0], DESIGN, second=dictionary, run=run)


def test_features_of_a_text_are_the_mean_codes_of_its_tokens(model, dictionary, benchmark):
    made, _, counts = benchmark
    view = FeatureModel(Reading(model, "act", [of_dictionary(dictionary)]))
    values = view.extract(made.dataset.stimuli)["features"].values
    assert values.shape == (N_TEXTS, N_TOKENS)
    # the first token of a text is left out, and each feature fires at its own token alone
    assert ((values > 0) == (counts > 0)).all()
    np.testing.assert_allclose((values > 0).sum(axis=1), (counts > 0).sum(axis=1))
    rows = np.concatenate([owner for _, owner in stimulus_rows(model, "act", made.dataset.stimuli)])
    assert (np.bincount(rows) == N_WORDS - 1).all()


def test_a_text_of_one_token_keeps_it(model):
    stimuli = StimulusSet(
        pd.DataFrame({"stimulus_id": ["a", "b"], "sentence": [SIGNS[3], SIGNS[4] + SIGNS[5]]})
    )
    rows = [(values, owner) for values, owner in stimulus_rows(model, "act", stimuli)]
    owners = np.concatenate([owner for _, owner in rows])
    values = torch.cat([one for one, _ in rows])[np.argsort(owners)]
    assert torch.equal(values, model.module.embed.weight[[3, 5]])


def test_features_that_voxels_read_exceed_untrained_ones_and_few_of_them_are_enough(found):
    assert found.sae.value > 0.1
    assert found.sae.p < 0.05
    assert found.sae.exceeded == 0
    assert found.against_neurons.value > 0.1
    table = found.table
    assert table.loc["features", "k90"] <= 4
    assert table.loc["features", "k=4"] > table.loc["untrained TopK", "k=4"] + 0.1
    assert {"neurons", "reconstruction", "rotated neurons", "random ReLU", "principal components"} < set(
        table.index
    )
    assert found.raw["features"] == pytest.approx(table.loc["features", "ridge"], abs=1e-4)


def test_the_feature_of_a_region_is_one_that_it_reads(found, benchmark):
    _, chosen, _ = benchmark
    assert set(found.best) == {"A", "B"}
    assert found.bars.shape == (N_TOKENS, 2)
    assert set(found.best["B"].features) <= set(chosen[6:].ravel().tolist())
    assert found.best["B"].r > 0.1


def test_the_record_is_kept_with_its_control_and_a_comparison_shows_it(found, run):
    records = {one["model"]: one for one in brodmann.compare([run]).records}
    own = records["looked+act+features"]
    assert own["sae_score"] == pytest.approx(own["score"] - own["sae_control"])
    untrained = [one["score"] for name, one in records.items() if "untrained" in name]
    assert own["sae_control"] == pytest.approx(np.mean(untrained))
    assert len(untrained) == own["sae_n_controls"] == 5
    assert own["k90"] == found.table.loc["features", "k90"]
    assert own["matched_features"] == 1
    assert own["matched_floor"] < 0.8
    assert own["provenance"]["model_digest"] != records["looked+act+neurons"]["provenance"]["model_digest"]
    assert "features" in own["methods"]
    shown = brodmann.compare([run]).scores.set_index("model")
    assert shown.loc["looked+act+features", "k90"] == own["k90"]
    json.dumps(finite(found.content()))
    assert summary([found])["sae_score"].iloc[0] == found.sae.value


def test_what_was_scored_is_read_again(model, dictionary, benchmark, run, found, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr("brodmann.bench.scoring.compare_layers", refuse)
    again = feature_scores(model, "act", dictionary, benchmark[0], DESIGN, run=run)
    assert again.sae == found.sae


def test_figures_of_a_comparison(found, run):
    from brodmann.bench.reports.panel import panels

    drawn = {
        one.name: one for one in panels(brodmann.compare([run])) if "feature" in one.name or "sae" in one.name
    }
    assert set(drawn) == {"sae-scores", f"feature-curves-{found.record['model']}-{found.benchmark}"}
    table = drawn["sae-scores"].table
    assert table["sae_control"].notna().all()
    from brodmann.bench.reports.style import Style

    for one in drawn.values():
        figure = one.figure(Style())
        assert figure.axes[0].get_xlabel()


def test_voxels_that_read_nothing_give_no_sae_score(model, dictionary, tmp_path):
    made = make_benchmark(told(0.0, seed=3)[0], "A", "ridge", group="story")
    found = feature_scores(model, "act", dictionary, made, replace(DESIGN, n_fold_seeds=1), run=tmp_path)
    assert abs(found.raw["features"] - found.raw["untrained"]) < 0.12
    assert not found.sae.p < 0.05
    assert found.best["A"].p > 0.05


def test_a_score_of_features_without_its_control_is_refused(found, run):
    pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")
    with pytest.raises(UserError, match="at least 1 untrained dictionary"):
        FeatureDesign(n_controls=0)
    content = document(scores=[score(sae_score=0.1, k90=4.0)])
    with pytest.raises(UserError, match="without its control"):
        parse_submission(json.dumps(content).encode())
    content = document(scores=[score(k90=4.0, sae_control=0.4, sae_n_controls=0)])
    with pytest.raises(UserError, match="without its control"):
        parse_submission(json.dumps(content).encode())
    content = document(scores=[score(matched_features=0.4, sae_control=0.4, sae_n_controls=5)])
    with pytest.raises(UserError, match="matched_floor"):
        parse_submission(json.dumps(content).encode())
    content = document(scores=[score(sae_score=0.1, sae_control=0.4, sae_n_controls=5, k90=4.0)])
    assert parse_submission(json.dumps(content).encode()).scores[0].k90 == 4
    sent, _ = gathered([run])
    own = next(
        one
        for one in parse_submission(json.dumps(sent).encode()).scores
        if one.model == found.record["model"]
    )
    assert own.sae_score == pytest.approx(found.sae.value)


def test_what_does_not_fit_is_said(model, dictionary, benchmark):
    wide = Dictionary(
        Weights(torch.ones(4, 8), torch.ones(4, 8), torch.zeros(4), torch.zeros(8), k=1),
        torch.zeros(8),
        1.0,
        "topk",
    )
    with pytest.raises(UserError, match="of 8 units, layer 'act' of looked has 20"):
        feature_scores(model, "act", wide, benchmark[0], DESIGN)
    with pytest.raises(UserError, match="cannot be shown the stimuli"):
        feature_scores(model, "act", dictionary, "simulated-cortex.IT-ridge", DESIGN)
