"""The contract of a model, kept by every member of the registry whose files are at hand."""

import re
from math import prod

import numpy as np
import pytest
from PIL import Image

from brodmann import UserError, load_dataset, load_model
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models.catalogue import MODELS, add_model, model_card
from brodmann.models.extraction.torch_model import Network

KINDS = {"network", "twin", "baseline", "simulated"}
CHECKSUM = re.compile(r"[0-9a-f]{64}")


def test_names_are_unique_and_cards_complete():
    for name, known in MODELS.items():
        card = known.card
        assert card.identifier == name
        assert card.title
        assert card.modality in ("vision", "language")
        assert card.kind in KINDS
        assert card.layers
        assert len(set(card.layers)) == len(card.layers)
        assert card.license
        assert card.source
        assert bool(card.files) == (card.kind == "network")
        for file in card.files:
            assert file.url or CHECKSUM.fullmatch(file.digest)  # what nobody serves is known by its checksum
        if card.kind == "network":
            assert card.bibtex.count("@") == 1
            assert card.bibtex.count("{") == card.bibtex.count("}")


@pytest.fixture(params=list(MODELS), scope="module")
def card(request):
    card = model_card(request.param)
    if card.identifier == "motion-energy":
        pytest.importorskip("moten", reason="motion energy is pymoten's")
    if not card.installed:
        test_weights = request.getfixturevalue("test_weights")
        names = [file.name for file in card.files]
        folders = (
            folder for folder in test_weights.iterdir() if all((folder / one).is_file() for one in names)
        )
        folder = next(folders, None)
        if folder is None:
            pytest.skip(f"the files of {card.identifier} are not at hand: {', '.join(names)}")
        try:
            add_model(card.identifier, folder)
        except UserError as error:
            pytest.skip(f"the files of {card.identifier} are not at hand: {error}")
    return card


@pytest.fixture(scope="module")
def model(card):
    return opened(card)


def opened(card):
    model = load_model(card.identifier)
    return model.replaced(cache=False) if isinstance(model, Network) else model


def as_pictures(arrays, folder):
    ids = [f"p{i}" for i in range(len(arrays))]
    stimuli = StimulusSet({"stimulus_id": ids, "onset": np.arange(len(ids)) / 8})  # as of a film
    stimuli.stimulus_paths = {name: folder / f"{name}.png" for name in ids}
    for name, pixels in zip(ids, arrays, strict=True):
        Image.fromarray(pixels).save(stimuli.stimulus_paths[name])
    return stimuli


def as_texts(texts):
    return StimulusSet({"stimulus_id": [f"s{i}" for i in range(len(texts))], "sentence": texts})


@pytest.fixture(scope="module")
def stimuli(card, tmp_path_factory):
    """Three of what the model is made for."""
    if card.kind == "simulated":
        return load_dataset(card.identifier.replace("truth", "cortex")).stimuli.iloc[:3]
    if card.modality == "language":
        return as_texts(
            ["The dog saw a ball.", "Rain.", "A long sentence about nothing in particular at all."]
        )
    rows, columns = np.mgrid[:40, :60].astype(np.uint8)
    drawn = [rows * 6, columns * 4, rows * columns]
    return as_pictures([np.dstack([one, one, 255 - one]) for one in drawn], tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="module")
def found(model, stimuli):
    return model.extract(stimuli)


def test_the_model_is_what_its_card_says(model, card):
    assert model.identifier == card.identifier
    assert model.modality == card.modality
    assert model.layers == list(card.layers)
    assert repr(model).startswith(f"{type(model).__name__}({card.identifier!r}, {card.modality}")
    package, _, module = MODELS.origin(card.identifier).partition(".")
    assert model.made_by == ((module,) if package == "brodmann" else ())


def test_activations_are_labelled_finite_and_in_the_order_of_the_stimuli(model, stimuli, found):
    assert list(found) == model.layers
    for layer, values in found.items():
        assert values.dims == ("presentation", "neuroid")
        assert values.dtype == np.float32
        assert np.isfinite(values.values).all()
        assert values["stimulus_id"].values.tolist() == stimuli["stimulus_id"].tolist()
        assert len(set(values["neuroid_id"].values.tolist())) == values.sizes["neuroid"]
        assert set(values["layer"].values.tolist()) == {layer}


def test_stimuli_make_a_difference_and_repetition_none(model, stimuli, found):
    again = model.extract(stimuli)
    for layer, values in found.items():
        np.testing.assert_array_equal(again[layer].values, values.values)
    assert any(np.ptp(values.values, axis=0).any() for values in found.values())


def test_the_order_of_the_stimuli_does_not_matter(model, stimuli, found):
    order = [2, 0, 1]
    moved = stimuli.iloc[order]
    if hasattr(stimuli, "stimulus_paths"):
        moved.stimulus_paths = stimuli.stimulus_paths
    for layer, values in model.extract(moved).items():
        expected = found[layer].values[order]
        np.testing.assert_allclose(values.values, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_a_layer_asked_for_alone_is_the_same(model, stimuli, found):
    layer = model.layers[len(model.layers) // 2]
    alone = model.extract(stimuli, [layer])
    assert list(alone) == [layer]
    np.testing.assert_allclose(alone[layer].values, found[layer].values, rtol=1e-5, atol=1e-6)
    with pytest.raises(UserError, match="unknown layer"):
        model.extract(stimuli, ["no such layer"])


def test_sizes_are_those_of_the_activations(model, stimuli, found):
    assert model.sizes(stimuli) == {layer: values.sizes["neuroid"] for layer, values in found.items()}


def test_a_second_load_is_the_same_model(model, card):
    again = opened(card)
    assert again.digest == model.digest
    assert re.fullmatch(r"[0-9a-f]{64}", model.digest)
    assert again.numerics == model.numerics


def test_sheets_have_a_place_for_every_unit(model, stimuli):
    sheets = {layer: model.sheet(layer) for layer in model.layers}
    shapes = model.shapes() if isinstance(model, Network) else {}
    for layer, sheet in sheets.items():
        if sheet is None:
            continue
        shape = shapes[layer]
        n_channels = shape[0] if len(shape) == 3 else shape[-1]
        n_units = n_channels if sheet.reads == "channel" or len(shape) == 2 else prod(shape)
        assert len(sheet) == n_units, layer
        assert np.isfinite(sheet.positions).all()


def test_noise_gives_numbers(model, card, tmp_path):
    rng = np.random.default_rng(0)
    if card.kind == "simulated":
        with pytest.raises(UserError, match="knows the stimuli of simulated-cortex"):
            model.extract(as_texts(["noise"]))
        return
    if card.modality == "language":
        noise = as_texts(["".join(map(chr, rng.integers(33, 1000, 50))), "¿", "a " * 40])
    else:
        blank = np.zeros((9, 5, 3), np.uint8)
        noise = as_pictures([rng.integers(0, 256, (33, 70, 3), dtype=np.uint8), blank, blank + 255], tmp_path)
    for layer, values in model.extract(noise).items():
        assert np.isfinite(values.values).all(), layer
