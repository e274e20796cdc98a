"""A multi-layer perceptron over grey pictures."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class MLP(nn.Module):
    """Linear layers with ReLU between, held as ``net``.

    Parameters
    ----------
    widths : sequence of int
        Pixels, units of each hidden layer, classes.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Linear(n_in, n_out), nn.ReLU()]
        self.net = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> logits; of several channels the mean is read."""
        logits: Tensor = self.net(x.mean(dim=1).flatten(1))
        return logits
