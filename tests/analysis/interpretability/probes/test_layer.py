"""Real networks: which layer holds what, on the texts that Python brings and on real ones."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run_brodmann

from brodmann.analysis.interpretability.probes.layer import probe_layer
from brodmann.analysis.interpretability.probes.probe import optimal_point
from brodmann.analysis.interpretability.probes.reading import Labelled, labelled_rows, tokenized
from brodmann.analysis.interpretability.probes.sparse_probe import Bench
from brodmann.brain_data.probing.base import PROPERTIES
from brodmann.brain_data.probing.material import FOLDERS, Material
from brodmann.errors import UserError
from brodmann.models import load_model

LAYER = "transformer.h.1.mlp.gelu"
_PARAGRAPHS = "\n".join(
    f" In {1900 + i} the old mill near Paris burned , and {i} people of the town left it . They went to the river .\n"
    f' Anna said " it was a quiet place " , but the small house was full of strange and heavy books in {1950 + i} .'
    for i in range(12)
)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    for i in range(14):
        (folder / f"{i:02d}.txt").write_text(_PARAGRAPHS.replace("mill", ["mill", "ship", "dog"][i % 3]))
    return folder


@pytest.fixture(scope="module")
def twin() -> "object":
    return load_model("twin-language-topographic").replaced(cache=False)


def test_tokens_know_their_letters_and_their_rows(twin: object, texts: Path) -> None:
    material = Material(text=texts)
    documents = material.running_text()
    found, windows = tokenized(twin, documents, 10_000)
    assert sum(map(len, found)) == windows.n_tokens
    for text in found[:3]:
        for piece, token in zip(text.pieces(), text.ids, strict=True):
            own = twin.tokenizer._tokenizer.decode([int(token)]).strip()
            assert piece.lower() == own or not piece
    assert max(map(len, windows.ids)) == 64
    assert all(len(set(one)) == 1 for one in windows.document)


def test_rows_of_tokens_are_those_of_the_network_at_that_place(twin: object, texts: Path) -> None:
    from brodmann.models.extraction.rows import layer_rows

    material = Material(text=texts)
    (found,) = labelled_rows(twin, LAYER, ["is_year"], material, most_tokens=4000)
    assert isinstance(found, Labelled)
    examples = found.examples["token"]
    text, windows = tokenized(twin, material.running_text(), 4000)
    every = list(layer_rows(twin, LAYER, windows))
    values = torch.cat([one.values for one in every]).numpy()
    token = np.concatenate([one.token for one in every])
    for row in examples.rows[:10]:
        at = int(np.abs(values - row).sum(axis=1).argmin())
        np.testing.assert_allclose(values[at], row, atol=1e-5)
        piece = twin.tokenizer._tokenizer.decode([int(token[at])]).strip()
        assert piece.isdigit()
    assert len(text) == 14


def test_texts_are_pooled_without_the_token_that_begins_every_one(twin: object) -> None:
    from brodmann.models.extraction.rows import TokenWindows, layer_rows

    (found,) = labelled_rows(twin, LAYER, ["noun_vs_verb"], Material())
    assert isinstance(found, Labelled)
    assert set(found.examples) == {"mean", "max", "last"}
    made = PROPERTIES["noun_vs_verb"].made(Material())
    ids = np.array(twin.tokenizer(made.texts[3])["input_ids"])
    (rows,) = layer_rows(twin, LAYER, TokenWindows([ids], [np.zeros_like(ids)]))
    np.testing.assert_allclose(found.examples["mean"].rows[3], rows.values.mean(dim=0), atol=1e-5)
    np.testing.assert_allclose(found.examples["max"].rows[3], rows.values.amax(dim=0), atol=1e-5)
    np.testing.assert_allclose(found.examples["last"].rows[3], rows.values[-1], atol=1e-5)


def test_what_a_network_cannot_read_or_material_lacks_is_said(twin: object, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="drawn_is_face is of a picture: twin-language-topographic is a language"
    ):
        list(labelled_rows(twin, LAYER, ["drawn_is_face"], Material()))
    found = list(labelled_rows(twin, LAYER, ["is_digit", "is_question"], Material((tmp_path,))))
    assert [name for name, _ in found] == ["is_digit", "is_question"]
    assert all("--material" in reason for _, reason in found)
    with pytest.raises(UserError, match="no property could be probed; is_digit: wikitext-2"):
        probe_layer(twin, LAYER, ["is_digit"], Material((tmp_path,)))


def test_features_of_a_dictionary_are_probed_in_place_of_units(twin: object, texts: Path) -> None:
    signs = torch.tensor([1.0, -1.0]).repeat(128)

    def encode(rows: torch.Tensor) -> torch.Tensor:
        return torch.cat([rows * signs, rows[:, :4]], dim=1)

    found = probe_layer(twin, LAYER, ["is_punctuation"], Material(text=texts), encode=encode, n_draws=20)
    assert found.n_units == 260
    units = probe_layer(twin, LAYER, ["is_punctuation"], Material(text=texts), n_draws=20)
    own, other = (one.probes["is_punctuation"]["token"].ranked[0] for one in (units, found))
    assert own.scores.f1 == pytest.approx(other.scores.f1, abs=1e-3)  # a sign changes nothing


def test_python_code_is_told_with_few_units_word_order_is_not_and_the_best_units_are_certified(
    twin: object, test_data: Path
) -> None:
    material = Material((test_data,))
    found = probe_layer(twin, LAYER, ["is_python_code", "word_order_shuffled"], material)
    code = found.probes["is_python_code"]["mean"]
    assert code.adaptive[0].scores.f1 >= 0.82
    assert code.adaptive[-1].scores.f1 >= 0.90
    assert np.mean([one.scores.f1 for one in code.random[2]]) < code.ranked[2].scores.f1
    assert found.probes["word_order_shuffled"]["mean"].adaptive[-1].scores.f1 <= 0.70
    assert not found.probes["word_order_shuffled"]["mean"].is_shown
    (labelled,) = labelled_rows(twin, LAYER, ["is_python_code"], material)
    assert isinstance(labelled, Labelled)
    one = labelled.examples["mean"]
    bench = Bench.of(one.rows, one.labels, one.documents, labelled.parts)
    for k in (1, 2, 4):
        best = optimal_point(bench, k, seconds=10)
        assert best.certificate.gap <= 1e-3
        assert best.certificate.seconds <= 11
        assert best.certificate.objective <= best.adaptive_objective + 1e-12


def test_pictures_are_told_by_few_channels() -> None:
    model = load_model("twin-vision-topographic").replaced(cache=False)
    found = probe_layer(
        model, "layer4.0.conv1", ["drawn_is_face", "drawn_is_word", "is_bright"], Material(), n_draws=50
    )
    assert set(found.probes["drawn_is_face"]) == {"mean", "max"}
    assert found.probes["drawn_is_face"]["mean"].ranked[0].scores.f1 > 0.85
    assert found.probes["drawn_is_word"]["mean"].adaptive[-1].scores.f1 > 0.9
    assert found.probes["is_bright"]["mean"].trivial == {}


def test_the_command_prints_one_json_object_even_where_a_search_runs_out_of_time(
    texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FOLDERS, raising=False)
    done = run_brodmann(
        "probe",
        "twin-language-topographic",
        "--layer",
        LAYER,
        "--property",
        "is_punctuation,is_question",
        "--texts",
        str(texts),
        "--optimal",
        "--seconds",
        "0.1",
        "--gamma",
        "1000",
        "--draws",
        "20",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    (layer,) = said["layers"]
    assert layer["n_units"] == 256
    best = layer["properties"]["is_punctuation"]["token"]["optimal"]
    assert [one["k"] for one in best] == [1, 2, 4]
    assert all(one["bound"] <= one["objective"] <= one["adaptive_objective"] + 1e-12 for one in best)
    assert "blimp" in layer["skipped"]["is_question"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--layer", LAYER, "--property", "is_pythn"),
            "unknown property 'is_pythn': did you mean 'is_python_code'",
        ),
        (("--layer", LAYER, "--property", ","), "--property names none"),
        ((), "name a layer with --layer"),
        (
            ("--layer", "nope", "--property", "noun_vs_verb"),
            "unknown layer of twin-language-topographic 'nope'",
        ),
        (("--layer", LAYER, "--material", "/nowhere"), "/nowhere is no folder"),
        (("--layer", LAYER, "--property", "drawn_is_face"), "drawn_is_face is of a picture"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    done = run_brodmann("probe", "twin-language-topographic", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
