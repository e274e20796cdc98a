"""Rows whose features are known: superposed directions, alone or together, of even or heavy-tailed magnitudes."""

import torch
from torch.nn.functional import normalize


def superposed(n_rows, *, n_features=320, n_units=96, p=0.02, seed=11):
    """Rows and directions: each active with probability p, magnitudes uniform(.5, 1.5)."""
    generator = torch.Generator().manual_seed(seed)
    truth = normalize(torch.randn(n_features, n_units, generator=generator), dim=1)
    rows = torch.empty(n_rows, n_units)
    for piece in rows.split(1 << 16):
        active = torch.rand(len(piece), n_features, generator=generator) < p
        piece.copy_((active * (torch.rand(len(piece), n_features, generator=generator) + 0.5)) @ truth)
    return rows, truth


def correlated(n_rows, *, n_features=96, n_units=48, group=4, p=0.04, seed=21):
    """Rows and directions: features of a group are active together more often than not, magnitudes log-normal."""
    generator = torch.Generator().manual_seed(seed)
    truth = normalize(torch.randn(n_features, n_units, generator=generator), dim=1)
    groups = torch.rand(n_rows, n_features // group, generator=generator) < 1.6 * p
    active = groups.repeat_interleave(group, 1) & (torch.rand(n_rows, n_features, generator=generator) < 0.6)
    sizes = torch.exp(0.8 * torch.randn(n_rows, n_features, generator=generator))
    return (active * sizes) @ truth + 20 * torch.linspace(-1, 1, n_units), truth


def of_each(truth, decoder):
    """The best cosine of each true direction among the learnt ones."""
    return (normalize(truth, dim=1) @ normalize(decoder, dim=1).T).max(1).values


def unexplained(dictionary, held_out, made=None):
    """Fraction of variance unexplained."""
    wanted = held_out if made is None else made
    left = (wanted - dictionary.reconstruct(held_out)).square().sum()
    return (left / (wanted - wanted.mean(0)).square().sum()).item()
