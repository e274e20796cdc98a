"""Probes where one unit and one feature alone tell a property, and brains that read one of them alone."""

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import nn

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.analysis.interpretability.probes.single_columns import single_columns
from brodmann.analysis.interpretability.views.base import Inside
from brodmann.bench import make_benchmark
from brodmann.bench.reports.explorer.looked import Asked, Looked
from brodmann.bench.reports.explorer.sections import brain as brain_section
from brodmann.bench.reports.explorer.sections.brain import brain
from brodmann.bench.reports.explorer.sections.probes import probes
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.probing.splits import Parts
from brodmann.brain_data.probing.trivial import beyond_threshold, f1
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.errors import UserError
from brodmann.models import LanguageModel
from brodmann.models.architectures.random_transformer import ByteTokenizer
from brodmann.models.extraction.rows import token_windows

N_UNITS, DIGIT_UNIT, N_FEATURES, DIGIT_FEATURE = 20, 5, 30, 3


class Bytes(nn.Module):
    """Every byte has a vector; one unit is above 0 for digits alone."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(260, N_UNITS)
        self.act = nn.Identity()
        with torch.no_grad():
            self.embed.weight.copy_(torch.randn(260, N_UNITS, generator=torch.Generator().manual_seed(1)))
            self.embed.weight[:, DIGIT_UNIT] = -0.5 - 0.1 * torch.rand(
                260, generator=torch.Generator().manual_seed(3)
            )
            self.embed.weight[1 + ord("0") : 2 + ord("9"), DIGIT_UNIT] = torch.linspace(1.4, 1.6, 10)

    def forward(self, input_ids, attention_mask=None):
        return self.act(self.embed(input_ids))


def dictionary():
    drawn = torch.randn(N_FEATURES, N_UNITS, generator=torch.Generator().manual_seed(2))
    drawn[:, DIGIT_UNIT] = 0
    drawn = drawn / drawn.norm(dim=1, keepdim=True)
    drawn[DIGIT_FEATURE] = torch.eye(N_UNITS)[DIGIT_UNIT]
    return Dictionary(
        Weights(drawn, drawn.clone(), torch.zeros(N_FEATURES), torch.zeros(N_UNITS), 12),
        torch.zeros(N_UNITS), 1.0, "topk",
    )  # fmt: skip


@pytest.fixture(scope="module")
def looked():
    model = LanguageModel(
        Bytes(),
        ByteTokenizer(),
        identifier="bytes",
        layers=["act"],
        pooling="mean",
        max_tokens=32,
        cache=False,
    )
    shown = token_windows(model, [f"the {n} birds of {1900 + n} flew" for n in range(12)])
    return Looked("s0", "bytes", Inside(model, "act", shown, dictionary()))


@pytest.fixture(scope="module")
def made(looked, tmp_path_factory):
    folder = tmp_path_factory.mktemp("material")
    (folder / "wikitext-2").mkdir()
    for n in range(12):
        text = "\n".join(
            f" In {1800 + 7 * n + k} the {k} mills of town {n} burned , she said ." for k in range(30)
        )
        (folder / "wikitext-2" / f"{n:02d}.txt").write_text(text)
    return probes(looked, Asked(properties=["is_digit", "is_determiner"], folder=folder))


def test_the_planted_unit_and_feature_tell_the_property_alone(made):
    for of, planted in (("unit", DIGIT_UNIT), ("feature", DIGIT_FEATURE)):
        name, score, precision, recall, rank, t, marked = next(
            one for one in made.entries[of][planted] if one[0] == "is_digit"
        )
        assert (name, score, precision, recall, rank, marked) == ("is_digit", 1, 1, 1, 1, True)
        column = next(one for one in made.columns[of] if one.name == "t.is_digit")
        assert column.diverging
        assert column.group == "probes"
        assert column.values[planted] == t > 20
        assert t > 5 * column.beside[0]["value"] > 0  # the largest of any, labels shuffled
        others = [
            one
            for i, row in enumerate(made.entries[of])
            if i != planted
            for one in row
            if one[0] == "is_digit"
        ]
        assert all(one[4] > 1 for one in others)
        preferred = next(one for one in made.columns[of] if one.name == "preferred.property")
        assert preferred.categories[preferred.values[planted]] == "is_digit"


def test_the_curves_are_those_of_the_units(made):
    one = next(one for one in made.whole["properties"] if one["name"] == "is_digit")
    assert one["shown"]
    assert one["all_units"] == 1
    assert one["mean_difference"][0]["units"] == [DIGIT_UNIT]
    assert one["mean_difference"][0]["f1"] == one["adaptive"][0]["f1"] == one["optimal"][0]["f1"] == 1
    assert one["optimal"][0]["units"] == [DIGIT_UNIT]
    assert one["optimal"][0]["gap"] <= 1e-3
    assert one["random"][0]["f1"] < 0.9
    assert {point["name"] for point in one["trivial"]} >= {
        "frequency",
        "place",
    }
    assert made.whole["of"] == "unit"
    assert made.whole["skipped"] == {}


def test_columns_at_once_are_columns_one_by_one():
    generator = np.random.default_rng(0)
    labels = generator.random(300) < 0.4
    rows = generator.normal(size=(300, 7)) + labels[:, None] * [0, 0.5, -2, 3, 0, 1, 0]
    rows[:, 4] = 0  # never varies
    rows[:, 5] = np.maximum(rows[:, 5], 0).round()  # equal values
    parts = Parts(np.arange(200), np.arange(200, 300), (1, 1))
    found = single_columns(rows, labels, parts)
    for i in range(7):
        calls = beyond_threshold(rows[:200, i], labels[:200], rows[200:, i])
        assert found.f1[i] == pytest.approx(f1(calls, labels[200:]))
        assert found.recall[i] == pytest.approx((calls & labels[200:]).sum() / labels[200:].sum())
        if calls.any():
            assert found.precision[i] == pytest.approx((calls & labels[200:]).sum() / calls.sum())
    assert found.t[4] == 0
    assert found.f1[4] == 0
    assert found.rank(slice(None))[3] == 1
    assert found.t[2] < 0 < found.t[3]
    assert sorted(found.rank(slice(2, 6))) == [1, 2, 3, 4]


def test_what_is_not_asked_for_or_not_there_is_left_out(looked):
    assert probes(looked, Asked(probed=False)).left_out == ["probes: not asked for"]
    with pytest.raises(UserError, match="no_such"):
        probes(looked, Asked(properties=["no_such"]))
    assert "no benchmark" in brain(looked, Asked()).left_out[0]


@pytest.fixture(scope="module")
def recording(looked):
    """One region that reads the share of digits in a text, and one that reads nothing."""
    generator = np.random.default_rng(4)
    texts = []
    for _ in range(200):
        letters = generator.choice(list("abcdefghijklmnopqrstuvwxyz"), 24)
        digits = generator.choice(list("0123456789"), 24)
        texts.append("".join(np.where(generator.random(24) < generator.random(), digits, letters)))
    names = [f"t{i:03d}" for i in range(len(texts))]
    share = np.array([np.mean([sign.isdigit() for sign in text[1:]]) for text in texts])
    of = {
        "reads": share[:, None] + 0.02 * generator.normal(size=(200, 4)),
        "noise": generator.normal(size=(200, 4)),
    }
    responses = xr.DataArray(
        np.concatenate(list(of.values()), axis=1),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", np.array(names, object)),
            "neuroid_id": ("neuroid", np.array([f"n{i}" for i in range(8)], object)),
            "region": ("neuroid", np.repeat(list(of), 4).astype(object)),
        },
    )
    stimuli = StimulusSet(pd.DataFrame({"stimulus_id": names, "sentence": texts}))
    stimuli.identifier = "digits"
    return Dataset("digits", modality="language", stimuli=stimuli, responses=responses)


def test_the_region_that_reads_digits_is_found_by_their_unit_and_feature(looked, recording, monkeypatch):
    known = make_benchmark(recording, "reads", "ridge")
    monkeypatch.setattr(brain_section, "load_benchmark", lambda name: known)
    made = brain(looked, Asked(benchmarks=["digits.reads-ridge"]))
    for of, planted in (("unit", DIGIT_UNIT), ("feature", DIGIT_FEATURE)):
        columns = {one.name: one for one in made.columns[of]}
        reads, noise = (np.asarray(columns[f"r.{name}"].values) for name in ("reads", "noise"))
        assert int(np.abs(reads).argmax()) == planted
        assert reads[planted] > 0.95
        assert np.abs(noise).max() < 0.35
        (entry,) = made.entries[of][planted]
        assert entry["n"] == 200
        shown = {row[0]: row for row in entry["regions"]}
        assert shown["reads"][1] == reads[planted]
        assert shown["reads"][3] < 1e-20
        assert shown["noise"][3] > 1e-4
        rows = [one for one in made.controls if one["of"] == of and one["region"] == "reads"]
        best = next(one for one in rows if one["kind"].startswith(f"best {of} of reads"))
        assert best["best"] == f"{planted}, {planted}"
        assert best["r"] > 0.95
        assert best["p"] <= 0.005
        assert next(one for one in rows if "random columns" in one["kind"])["r"] < 0.4
    assert any("untrained" in one["kind"] for one in made.controls)
