"""The sparse code of rows, and the numbers that make it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Codes:
    """Which features are active in each row, and how much.

    Attributes
    ----------
    values : Tensor of shape (n_rows, most active)
        At least 0; 0 where a row has fewer.
    indices : integer Tensor of shape (n_rows, most active)
        The features; any where the value is 0.
    n_features : int
    shift, stretch : Tensor of shape (n_rows, 1) or None
        Mean and spread of each row that was taken out and is put back, for dictionaries that normalise rows.
    """

    values: Tensor
    indices: Tensor
    n_features: int
    shift: Tensor | None = None
    stretch: Tensor | None = None

    def __len__(self) -> int:
        return len(self.values)

    def dense(self) -> Tensor:
        """All features, (n_rows, n_features)."""
        zeros = self.values.new_zeros(len(self.values), self.n_features)
        return zeros.scatter_add_(1, self.indices, self.values)

    def only(self, features: Tensor) -> "Codes":
        """The same with every other feature silent.

        Parameters
        ----------
        features : integer Tensor
        """
        kept = torch.isin(self.indices, features.to(self.indices))
        return Codes(
            torch.where(kept, self.values, 0.0), self.indices, self.n_features, self.shift, self.stretch
        )


def codes_of(dense: Tensor) -> Codes:
    """Codes from all features' activations, as wide as the fullest row.

    Parameters
    ----------
    dense : Tensor of shape (n_rows, n_features)
        At least 0.
    """
    most = max(1, int((dense > 0).sum(dim=1).max())) if len(dense) else 1
    values, indices = dense.topk(most, dim=1)
    return Codes(values.clamp_min(0), indices, dense.shape[1])


@dataclass(frozen=True)
class Weights:
    """The numbers of a dictionary, in the scaled space of its rows.

    Attributes
    ----------
    encoder : Tensor of shape (n_features, n_units)
    decoder : Tensor of shape (n_features, n_units)
        A direction a feature.
    encoder_bias : Tensor of shape (n_features,)
    bias : Tensor of shape (n_units,)
        Taken from rows before the encoder, and put back behind the decoder.
    k : int
        Features that are active in a row, where the variant sets their number; else 0.
    threshold : Tensor of shape (n_features,) or None
        What a feature must exceed, where the variant learns it.
    extra : dict of str to Tensor
        What some variants have beside: ``output_bias`` (put back instead of `bias`), gates, a skip.
    """

    encoder: Tensor
    decoder: Tensor
    encoder_bias: Tensor
    bias: Tensor
    k: int = 0
    threshold: Tensor | None = None
    extra: dict[str, Tensor] = field(default_factory=dict)

    @property
    def n_features(self) -> int:
        """Rows of the decoder."""
        return len(self.decoder)

    @property
    def n_units(self) -> int:
        """Columns of the encoder."""
        return self.encoder.shape[1]

    def tensors(self) -> dict[str, Tensor]:
        """All of them by name; those of `extra` as ``extra.NAME``."""
        named = {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "encoder_bias": self.encoder_bias,
            "bias": self.bias,
        }
        if self.threshold is not None:
            named["threshold"] = self.threshold
        return named | {f"extra.{name}": value for name, value in self.extra.items()}
