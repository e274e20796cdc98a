"""Weights that do not mean what the network's own mean are refused."""

import pytest
import torch
from torch import nn

from brodmann import UserError
from brodmann.models.weights.state_dict import load_into, read_weights


@pytest.mark.parametrize(
    ("dtype", "reason"),
    [
        (torch.int8, r"'weight' holds whole numbers \(int8\) without their scale"),
        (torch.int64, "whole numbers"),
        (torch.bool, "whole numbers"),
        (torch.complex64, "'weight' holds complex numbers"),
    ],
)
def test_numbers_of_another_kind_are_refused(tmp_path, dtype, reason):
    weights = nn.Linear(3, 2).state_dict()
    weights["weight"] = (weights["weight"] * 100).to(dtype)
    with pytest.raises(UserError, match=reason):
        load_into(nn.Linear(3, 2), weights, tmp_path / "weights.pt")


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.bfloat16])
def test_other_precisions_and_counters_fit(tmp_path, dtype):
    network = nn.BatchNorm1d(3)
    weights = {
        name: one.to(dtype) if one.is_floating_point() else one for name, one in network.state_dict().items()
    }
    assert torch.equal(load_into(nn.BatchNorm1d(3), weights, tmp_path / "w.pt").weight, network.weight)


def test_a_file_of_two_networks_is_refused(tmp_path):
    path = tmp_path / "both.pt"
    torch.save({"model": nn.Linear(3, 2).state_dict(), "state_dict": nn.Linear(3, 2).state_dict()}, path)
    with pytest.raises(UserError, match="holds two networks, under 'state_dict' and 'model'"):
        read_weights(path)


def test_a_file_of_one_network_and_settings_is_read(tmp_path):
    path = tmp_path / "one.pt"
    torch.save({"model": {"depth": 3}, "state_dict": nn.Linear(3, 2).state_dict()}, path)
    assert set(read_weights(path)) == {"weight", "bias"}
