"""Rows of a layer, one a token or place, against a plain forward pass."""

import numpy as np
import pytest
import torch

from brodmann import UserError
from brodmann.brain_data.stimuli.localizers import localizer
from brodmann.models import LanguageModel, VisionModel, load_model
from brodmann.models.extraction.rows import (
    count_rows,
    layer_rows,
    predicted_tokens,
    token_losses,
    token_windows,
)
from brodmann.models.interventions.splice import Splice, at_mean, zeroed
from brodmann.models.interventions.steering import Steer

TEXTS = [
    "The dog saw a ball in the garden .\nIt ran .",
    "A horse moves near the river and is seen by a bird .",
]
LAYER = "transformer.h.1.mlp.gelu"


@pytest.fixture(scope="module")
def language():
    return load_model("twin-language-topographic")


@pytest.fixture(scope="module")
def vision():
    return load_model("twin-vision-topographic")


def read_plainly(model, layer, ids):
    """One window alone, with a hook of torch's own."""
    kept = []
    handle = model.module.get_submodule(layer).register_forward_hook(lambda *a: kept.append(a[2]))
    with torch.no_grad():
        logits = model.module(torch.tensor([ids.tolist()]))
    handle.remove()
    return kept[0][0], logits


class TestWindows:
    def test_a_causal_network_reads_one_stream_whose_tokens_know_their_text(self, language):
        windows = token_windows(language, TEXTS, length=8)
        stream = np.concatenate(windows.ids)
        alone = [
            np.concatenate([language.tokenizer(line)["input_ids"] for line in text.splitlines()])
            for text in TEXTS
        ]
        np.testing.assert_array_equal(stream, np.concatenate(alone)[: len(stream)])
        assert {len(ids) for ids in windows.ids[:-1]} == {8}
        owner = np.concatenate(windows.document)
        np.testing.assert_array_equal(owner, np.repeat([0, 1], [len(one) for one in alone])[: len(owner)])

    def test_apart_no_window_holds_two_texts(self, language):
        windows = token_windows(language, TEXTS, length=8, apart=True)
        assert all(len(set(document)) == 1 for document in windows.document)

    def test_texts_without_tokens_are_refused(self, language):
        with pytest.raises(UserError, match="no tokens"):
            token_windows(language, ["", "  "])


class TestRows:
    def test_those_of_tokens_are_what_the_layer_gives_alone(self, language):
        windows = token_windows(language, TEXTS, length=8)
        rows = list(layer_rows(language, LAYER, windows, batch_size=3))
        values = torch.cat([one.values for one in rows])
        window = np.concatenate([one.stimulus for one in rows])
        place = np.concatenate([one.place for one in rows])
        token = np.concatenate([one.token for one in rows])
        assert (len(values), values.shape[1]) == count_rows(language, LAYER, windows)
        assert place.min() == 1, "the first token of a window is left out"
        for i, ids in enumerate(windows.ids):
            plain, _ = read_plainly(language, LAYER, ids)
            torch.testing.assert_close(values[window == i], plain[1:], atol=1e-5, rtol=1e-4)
            np.testing.assert_array_equal(token[window == i], ids[1:])

    def test_those_of_pictures_are_a_map_s_places(self, vision):
        stimuli = localizer("drawn-categories").iloc[:5]
        rows = list(layer_rows(vision, "layer2.0", stimuli, batch_size=2))
        values = torch.cat([one.values for one in rows])
        whole = vision.extract(stimuli, ["layer2.0"])["layer2.0"].to_numpy()
        n_channels = values.shape[1]
        as_maps = values.reshape(5, -1, n_channels).transpose(1, 2).reshape(5, -1)
        np.testing.assert_allclose(as_maps.numpy(), whole, atol=1e-4, rtol=1e-4)
        assert count_rows(vision, "layer2.0", stimuli) == (len(values), n_channels)

    def test_what_a_module_is_given_is_what_the_module_before_gave(self, language):
        windows = token_windows(language, TEXTS, length=16)
        given = next(layer_rows(language, "transformer.h.1.mlp.c_proj#in", windows)).values
        torch.testing.assert_close(given, next(layer_rows(language, LAYER, windows)).values)

    def test_what_a_module_is_given_is_scored_like_any_layer(self, language):
        stimuli = localizer("sentences-nonwords").iloc[:4]
        both = language.extract(stimuli, [LAYER, "transformer.h.1.mlp.c_proj#in"])
        np.testing.assert_array_equal(both[LAYER], both["transformer.h.1.mlp.c_proj#in"])

    def test_each_kind_of_model_asks_for_its_own_kind_of_stimuli(self, language, vision):
        with pytest.raises(UserError, match="reads no texts"):
            layer_rows(vision, "layer2.0", token_windows(language, TEXTS))
        with pytest.raises(UserError, match="looks at no pictures"):
            layer_rows(language, LAYER, localizer("drawn-categories").iloc[:2])

    def test_a_layer_without_a_row_a_token_is_refused(self):
        class Pooled(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding, self.pooled = torch.nn.Embedding(300, 4), torch.nn.Identity()

            def forward(self, input_ids, attention_mask=None):
                return self.pooled(self.embedding(input_ids).mean(dim=1))

        model = LanguageModel(
            Pooled(),
            lambda text: [ord(c) % 300 for c in text],
            identifier="pooled",
            cache=False,
            max_tokens=16,
        )
        with pytest.raises(UserError, match="a vector a token"):
            next(layer_rows(model, "pooled", token_windows(model, ["some text here", "more"], apart=True)))

    def test_values_that_are_not_finite_are_refused(self):
        class Broken(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.out = torch.nn.Identity()

            def forward(self, x):
                return self.out(x / 0)

        model = VisionModel(
            Broken(),
            identifier="broken",
            layers=["out"],
            cache=False,
            preprocess=lambda _: torch.ones(3, 4, 4),
        )
        with pytest.raises(UserError, match="NaN or infinite"):
            next(layer_rows(model, "out", localizer("drawn-categories").iloc[:2]))


class TestLosses:
    def test_they_are_minus_log_p_of_each_token_given_the_window_before_it(self, language):
        windows = token_windows(language, TEXTS, length=8)
        losses = token_losses(language, windows, batch_size=2)
        window, place = predicted_tokens(windows)
        assert len(losses) == len(window) == sum(len(ids) - 1 for ids in windows.ids)
        for i, ids in enumerate(windows.ids):
            _, logits = read_plainly(language, LAYER, ids)
            p = logits[0, :-1].double().log_softmax(dim=1)
            plain = -p[np.arange(len(ids) - 1), ids[1:]]
            np.testing.assert_allclose(losses[window == i], plain.numpy(), atol=1e-4)
            np.testing.assert_array_equal(place[window == i], np.arange(1, len(ids)))


class TestSplices:
    def test_the_same_rows_change_nothing(self, language):
        windows = token_windows(language, TEXTS, length=8)
        same = language.with_lesions(Splice(LAYER, torch.clone))
        np.testing.assert_array_equal(token_losses(same, windows), token_losses(language, windows))

    @pytest.mark.parametrize("layer", [LAYER, "transformer.h.1.mlp.c_proj#in"])
    def test_zero_is_what_silencing_every_unit_gives(self, language, layer):
        from brodmann.models.interventions.lesions import Lesion

        windows = token_windows(language, TEXTS, length=8)
        spliced = token_losses(language.with_lesions(zeroed(layer)), windows)
        silenced = token_losses(language.with_lesions(Lesion(LAYER, np.arange(256))), windows)
        np.testing.assert_allclose(spliced, silenced, atol=1e-6)
        assert np.abs(spliced - token_losses(language, windows)).max() > 0.1

    def test_rows_of_a_map_are_its_channels_at_each_place(self, vision):
        stimuli = localizer("drawn-categories").iloc[:3]
        before = next(layer_rows(vision, "layer2.0", stimuli)).values
        mean = before.mean(dim=0)
        doubled = vision.with_lesions(Splice("layer2.0", lambda rows: 2 * rows))
        torch.testing.assert_close(next(layer_rows(doubled, "layer2.0", stimuli)).values, 2 * before)
        at = next(layer_rows(vision.with_lesions(at_mean("layer2.0", mean)), "layer2.0", stimuli)).values
        torch.testing.assert_close(at, mean.expand_as(before))

    def test_steering_adds_its_direction(self, language, vision):
        windows = token_windows(language, TEXTS, length=8)
        direction = torch.arange(256.0)
        before = next(layer_rows(language, LAYER, windows)).values
        steered = language.with_lesions(Steer(LAYER, direction, -0.5))
        torch.testing.assert_close(
            next(layer_rows(steered, LAYER, windows)).values, before - 0.5 * direction, atol=1e-4, rtol=1e-4
        )
        stimuli = localizer("drawn-categories").iloc[:2]
        maps = next(layer_rows(vision, "layer2.0", stimuli)).values
        pushed = vision.with_lesions(Steer("layer2.0", torch.ones(maps.shape[1])))
        torch.testing.assert_close(next(layer_rows(pushed, "layer2.0", stimuli)).values, maps + 1)

    def test_a_spliced_model_has_a_digest_of_its_own(self, language):
        spliced = language.with_lesions(zeroed(LAYER))
        assert spliced.digest != language.digest
        assert spliced.digest == language.with_lesions(zeroed(LAYER)).digest

    def test_a_function_of_another_width_is_one_line(self, language):
        windows = token_windows(language, TEXTS, length=8)
        narrow = language.with_lesions(Splice(LAYER, lambda rows: rows[:, :3]))
        with pytest.raises(UserError, match="256 units"):
            token_losses(narrow, windows)

    @pytest.mark.parametrize("direction", [torch.ones(2, 2), torch.tensor([float("nan")])])
    def test_a_direction_is_one_finite_number_a_unit(self, direction):
        with pytest.raises(UserError, match="finite number a unit"):
            Steer(LAYER, direction)


def test_a_layer_is_read_before_an_activation_in_place_writes_into_it() -> None:
    from PIL import Image

    from brodmann.brain_data.stimuli.localizers import localizer
    from brodmann.models.extraction.rows import layer_rows
    from brodmann.models.extraction.vision_model import VisionModel

    def pixels(picture: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.array(picture.convert("RGB").resize((16, 16)))).permute(2, 0, 1) / 255

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(inplace=True))
    model = VisionModel(module, identifier="in-place", preprocess=pixels, layers=["0"])
    pictures = localizer("drawn-categories").iloc[:2]
    for layer in ("0", "1#in"):
        assert next(layer_rows(model, layer, pictures)).values.min() < 0
