"""A layer fitted on one training set, its predictions on the card until they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..cross_validation import Indices, Split
from ..fit import Fit
from .features import CardColumns, CardGram

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Floats = npt.NDArray[np.float64]


class CardFit(Fit):
    """As :class:`.nested_ridge.Fit`; `prediction` comes back from the card when it is asked for.

    Attributes
    ----------
    held_out : tensor of shape (n_test, n_targets)
        Predictions less `offset`, in single precision.
    offset : tensor of shape (n_targets,)
        The mean of the training targets, in double precision.
    products : str
        The name of those that it was made by, see :class:`.products.Products`.
    """

    features: CardGram | CardColumns
    _device: torch.device
    products: str
    held_out: Tensor
    offset: Tensor

    def __init__(
        self,
        split: Split,
        features: CardGram | CardColumns,
        alpha: Floats,
        held_out: Tensor,
        offset: Tensor,
        inner_score: Floats,
        penalties: Floats,
        device: torch.device,
        products: str,
    ) -> None:
        given = {
            "split": split,
            "features": features,
            "alpha": alpha,
            "held_out": held_out,
            "offset": offset,
            "inner_score": inner_score,
            "penalties": penalties,
            "_device": device,
            "products": products,
        }
        for name, value in given.items():
            object.__setattr__(self, name, value)

    @cached_property
    def prediction(self) -> Floats:
        """Of the held-out rows, ``(n_test, n_targets)``."""
        whole: Floats = self.held_out.cpu().double().add_(self.offset.cpu()).numpy()
        return whole

    @property
    def where(self) -> torch.device:
        """The card."""
        return self._device

    def only(self, chosen: Indices) -> CardFit:
        """The same fit for some of its targets."""
        import torch

        some = torch.from_numpy(chosen)
        return CardFit(
            self.split,
            self.features,
            self.alpha[chosen],
            self.held_out[:, some.to(self.held_out.device)],
            self.offset[some.to(self.offset.device)],
            self.inner_score[chosen],
            self.penalties,
            self._device,
            self.products,
        )


def products_of(fits: Sequence[Fit]) -> dict[str, object]:
    """For the methods of a record, by which products a card made some fits; nothing where none did."""
    names = sorted({one.products for one in fits if isinstance(one, CardFit)})
    return {"products": " and ".join(names)} if names else {}
