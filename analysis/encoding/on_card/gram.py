"""X X' of features that are sent to a card a block of columns at a time, in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..cross_validation import Indices
from .transfer import column_blocks, lane, sendable, sent

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Floats = npt.NDArray[np.float64]


def gram(features: npt.ArrayLike, device: torch.device) -> Tensor:
    """X X' of the features less their mean over all rows, ``(n_samples, n_samples)``, in double precision.

    Parameters
    ----------
    features : array of shape (n_samples, n_features)
        May be a memory map larger than memory.
    device : torch.device
    """
    import torch

    source = sendable(features)
    total = torch.zeros(len(source), len(source), dtype=torch.float64, device=device)
    for part in sent(column_blocks(source, slice(0, source.shape[1])), lane(device)):
        centered = part.double()
        centered -= centered.mean(dim=0)
        total.addmm_(centered, centered.T)
    return total


def centered_columns(features: npt.ArrayLike, device: torch.device) -> Tensor:
    """The features less their mean over all rows, in double precision."""
    import torch

    source = sendable(features)
    blocks = list(sent(column_blocks(source, slice(0, source.shape[1])), lane(device)))
    whole = torch.cat(blocks, dim=1).double()
    whole -= whole.mean(dim=0)
    return whole


def mean_eigenvalues(gram: Tensor, training_sets: Sequence[Indices], n_features: int) -> Floats:
    """Of every training set's centred X X', over min(n_train - 1, n_features)."""
    import torch

    member = torch.zeros(len(training_sets), len(gram), dtype=torch.float64)
    for row, train in zip(member, training_sets, strict=True):
        row[torch.from_numpy(train)] = 1
    size = member.sum(dim=1).numpy()
    member = member.to(gram.device)
    total = member @ gram.diagonal() - ((member @ gram) * member).sum(dim=1) / member.sum(dim=1)
    means: Floats = total.cpu().numpy() / np.minimum(size - 1, n_features)
    return means


def spectrum(gram: Tensor) -> tuple[float, float]:
    """An interval that holds every non-zero eigenvalue of every training set; as :class:`.gram_eigen.DualFeatures`."""
    import torch

    values = torch.linalg.eigvalsh(gram)
    high = float(values[-1]) if len(values) and float(values[-1]) > 1e-200 else 1.0
    second = float(values[1]) if len(values) > 1 else 0.0  # the first belongs to the constant
    return max(second, 0.0), high
