"""A sparse dictionary: codes, rows back, edits, and the folder it is kept in."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from brodmann import UserError
from brodmann.analysis.interpretability.codes import Codes, Weights, codes_of
from brodmann.analysis.interpretability.dictionary import Dictionary, Site


def made(n_features=40, n_units=12, k=4, variant="topk", seed=0, **beside):
    draw = torch.Generator().manual_seed(seed)
    random = [torch.randn(*shape, generator=draw) for shape in [(n_features, n_units)] * 2]
    weights = Weights(
        *random,
        torch.randn(n_features, generator=draw) / 10,
        torch.randn(n_units, generator=draw),
        k if variant == "topk" else 0,
    )
    mean = torch.randn(n_units, generator=draw)
    return Dictionary(weights, mean, 2.5, variant, **beside)


def rows(n=50, n_units=12, seed=5):
    return torch.randn(n, n_units, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize("variant", ["topk", "relu"])
def test_codes_and_rows_follow_the_equation(variant):
    one, x = made(variant=variant), rows()
    w = one.weights
    pre = ((x - one.mean) / 2.5 - w.bias) @ w.encoder.T + w.encoder_bias
    if variant == "topk":
        lowest = pre.topk(4, dim=1).values[:, -1:]
        expected = torch.where(pre >= lowest, pre, 0).clamp_min(0)
    else:
        expected = pre.clamp_min(0)
    codes = one.encode(x)
    torch.testing.assert_close(codes.dense(), expected)
    back = (expected @ w.decoder + w.bias) * 2.5 + one.mean
    torch.testing.assert_close(one.decode(codes), back, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(one.decode(expected), back, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(one.reconstruct(x.numpy()), back, atol=1e-4, rtol=1e-4)


def test_a_row_s_code_does_not_depend_on_the_rows_beside_it():
    one, x = made(variant="relu"), rows()
    alone = torch.cat([one.encode(x[i : i + 1]).dense() for i in range(len(x))])
    torch.testing.assert_close(one.encode(x).dense(), alone, atol=1e-5, rtol=1e-4)


def test_normalized_rows_get_their_own_mean_and_spread_back():
    one, x = made(rows="normalized"), rows()
    same = one.reconstruct(7 * x + 3)
    torch.testing.assert_close(same, 7 * one.reconstruct(x) + 3, atol=1e-3, rtol=1e-3)


def test_an_edit_changes_what_the_feature_adds_and_nothing_else():
    one, x = made(), rows()
    dense = one.encode(x).dense()
    feature = int(dense.sum(dim=0).argmax())
    silenced = one.edited({feature: 0.0})(x)
    torch.testing.assert_close(
        x - silenced, dense[:, [feature]] * one.directions[feature], atol=1e-4, rtol=1e-4
    )
    torch.testing.assert_close(one.edited({feature: 1.0})(x), x)
    with pytest.raises(UserError, match="no feature 40"):
        one.edited({40: 0.0})


def test_a_transcoder_is_not_edited_in_the_rows_that_it_takes():
    with pytest.raises(UserError, match="transcoder"):
        made(output_mean=torch.zeros(12), output_scale=1.0).edited({3: 0.0})


def test_only_some_features():
    codes = codes_of(torch.tensor([[0.0, 2.0, 1.0], [3.0, 0.0, 0.0]]))
    assert isinstance(codes, Codes)
    torch.testing.assert_close(
        codes.only(torch.tensor([2])).dense(), torch.tensor([[0.0, 0.0, 1.0], [0.0] * 3])
    )


class TestFolder:
    def test_the_round_trip_is_bit_equal(self, tmp_path):
        site = Site("net", "d" * 64, "layer", "place")
        one = made(site=site, facts={"seeds": {"init": 1, "batch": 2, "data": 3}})
        kept = Dictionary.load(one.save(tmp_path / "a.features"))
        assert kept.digest == one.digest
        assert kept.site == site
        assert kept.facts == one.facts
        torch.testing.assert_close(kept.reconstruct(rows()), one.reconstruct(rows()), atol=0, rtol=0)

    def test_the_digest_is_of_all_that_makes_numbers(self):
        digests = {
            made().digest,
            made(k=5).digest,
            made(seed=1).digest,
            made(rows="normalized").digest,
            made(variant="relu").digest,
        }
        assert len(digests) == 5

    @pytest.mark.parametrize(
        "change",
        [
            {"format": 9},
            {"variant": "none such"},
            {"scale": "x"},
            {"scale": -1},
            {"site": 3},
            {"rows": "other"},
            {"sha256": "0" * 64},
            {"k": None},
            {"k": 0},
            {"k": -3},
            {"k": 41},
            {"k": 2.5},
            {"k": float("inf")},
            {"scale": 10**400},
            {"output_scale": -1.0},
            {"output_scale": float("nan")},
            {"n_features": 7},
            {"variant": "gated"},
            {"facts": 1},
        ],
    )
    def test_other_facts_are_one_line(self, tmp_path, change):
        folder = made().save(tmp_path / "a.features")
        path = folder / "features.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(UserError):
            Dictionary.load(folder)

    def test_weights_of_other_shapes_are_one_line(self, tmp_path):
        weights = made().weights
        with pytest.raises(UserError, match="encoder bias"):
            Dictionary(
                Weights(weights.encoder, weights.decoder, torch.zeros(3), weights.bias, 4),
                torch.zeros(12),
                1.0,
                "topk",
            )

    @pytest.mark.parametrize(
        "beside",
        [
            {"output_bias": torch.zeros(1)},
            {"skip": torch.zeros(3, 3)},
            {"log_magnitude": torch.zeros(2)},
        ],
    )
    def test_what_lies_beside_must_fit_too(self, beside):
        one = made()
        with pytest.raises(UserError, match=next(iter(beside))):
            replace(one, weights=replace(one.weights, extra=beside))

    @pytest.mark.parametrize("mean", [torch.zeros(1), torch.full((12,), float("nan"))])
    def test_the_mean_of_what_is_made_must_fit_too(self, mean):
        with pytest.raises(UserError, match="output mean"):
            made(output_mean=mean)

    def test_values_that_are_not_finite_are_one_line(self):
        weights = made().weights
        broken = weights.decoder.clone()
        broken[0, 0] = float("nan")
        with pytest.raises(UserError, match="decoder"):
            Dictionary(
                Weights(weights.encoder, broken, weights.encoder_bias, weights.bias, 4),
                torch.zeros(12),
                1.0,
                "topk",
            )

    def test_a_folder_of_something_else_is_one_line(self, tmp_path):
        with pytest.raises(UserError, match="no dictionary"):
            Dictionary.load(tmp_path)


def test_rows_of_another_layer_are_one_line():
    with pytest.raises(UserError, match="of 12 units"):
        made().encode(np.zeros((3, 5)))


def test_an_encoder_that_is_the_decoder_itself_is_kept(tmp_path):
    drawn = torch.randn(6, 4)
    one = Dictionary(Weights(drawn, drawn, torch.zeros(6), torch.zeros(4), 2), torch.zeros(4), 1.0, "topk")
    assert Dictionary.load(one.save(tmp_path / "a.features")).digest == one.digest
