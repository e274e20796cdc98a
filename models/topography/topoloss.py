"""TopoLoss: weights that change smoothly over a sheet of units.

The weights of a layer are laid on a sheet, one cell an output unit (or channel), each cell the unit's
incoming weights. With C'_u the weights of cell u after the sheet was blurred,

    L = 1 - mean_u cos(C_u, C'_u),        total = task + tau * mean over layers of L.

Blurring is bilinear downsampling by a factor (3 in the paper) and upsampling back. Deb, Deb & Murty (2025),
"TopoNets: high performing vision and language models with brain-like topography", ICLR.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, interpolate

from ...errors import UserError, unknown
from ..sheet import grid_shape

FACTOR = 3.0
"""How much the paper downsamples."""


def incoming_weights(module: nn.Module) -> Tensor:
    """A layer's weights, one row an output unit (n_units, n_inputs); the bias is not among them.

    Parameters
    ----------
    module : Linear, convolution, or GPT-2's ``Conv1D``

    Raises
    ------
    UserError
        For any other module.
    """
    weight = getattr(getattr(module, "conv", module), "weight", None)  # a blurred convolution wraps its own
    if not isinstance(weight, Tensor) or weight.ndim < 2:
        raise UserError(
            f"{type(module).__name__} has no weights to lay on a sheet: choose linear or convolutional layers"
        )
    if type(module).__name__ == "Conv1D":  # transformers': (n_inputs, n_units)
        return weight.T
    return weight.flatten(1)


def topographic_loss(weights: Tensor, shape: tuple[int, int] | None = None, factor: float = FACTOR) -> Tensor:
    """1 - mean over units of the cosine between a unit's weights and those of the blurred sheet.

    Parameters
    ----------
    weights : tensor of shape (n_units, n_inputs)
    shape : (int, int), optional
        Rows and columns of the sheet, :func:`.sheet.grid_shape` by default.
    factor : float
        Of the downsampling, at most the sheet's smaller side.

    Returns
    -------
    tensor
        A number between 0 (as smooth as can be) and 2.
    """
    rows, columns = shape or grid_shape(len(weights))
    if rows * columns != len(weights):
        raise UserError(f"{len(weights)} units do not fill a sheet of {rows} x {columns}")
    if not 1 <= factor <= min(rows, columns):
        raise UserError(f"a sheet of {rows} x {columns} cannot be downsampled by {factor:g}")
    return _roughness(weights, _blur_at(rows, factor, weights), _blur_at(columns, factor, weights))


def _roughness(weights: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """The loss of weights on a sheet, with the matrices that blur its two axes."""
    sheet = weights.reshape(len(down), len(across), -1)
    once = down @ sheet.reshape(len(down), -1)
    blurred = across @ once.view_as(sheet)
    return 1 - cosine_similarity(sheet, blurred, dim=2).mean()


def _blur_at(length: int, factor: float, weights: Tensor) -> Tensor:
    """The matrix of an axis where the weights lie, and in their precision."""
    return _blur_on(length, factor, weights.dtype, weights.device)


@lru_cache
def _blur_on(length: int, factor: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    return _blur(length, factor).to(device, dtype)


@lru_cache
def _blur(length: int, factor: float) -> Tensor:
    """Down- and upsampling of one axis as a matrix (length, length): bilinear interpolation is separable.

    As a product of matrices it takes a half to a third of the time of interpolating every input's map.
    """
    points = torch.eye(length, dtype=torch.float64)[None]
    down = interpolate(points, scale_factor=1 / factor, mode="linear", align_corners=False)
    return interpolate(down, size=length, mode="linear", align_corners=False)[0].T.contiguous()


def neighbor_similarity(weights: Tensor, shape: tuple[int, int] | None = None) -> Tensor:
    """Smoothness of weights: the mean cosine of units that are next to one another in a row or a column.

    Parameters
    ----------
    weights : tensor of shape (n_units, n_inputs)
    shape : (int, int), optional
        Rows and columns of the sheet, :func:`.sheet.grid_shape` by default.

    Returns
    -------
    tensor
        Near 0 for weights drawn at random, 1 where all units are alike.
    """
    rows, columns = shape or grid_shape(len(weights))
    unit = torch.nn.functional.normalize(weights, dim=1).reshape(rows, columns, -1)
    below = (unit[1:] * unit[:-1]).sum(dim=2).flatten()
    beside = (unit[:, 1:] * unit[:, :-1]).sum(dim=2).flatten()
    return torch.cat([below, beside]).mean()


@dataclass(frozen=True)
class TopoLoss:
    """The topographic loss of some layers of a network.

    Attributes
    ----------
    layers : sequence of str
        Dotted module names.
    tau : float
        Strength; 0 gives the baseline.
    factor : float
    schedule : callable or None
        Share of the training that is done, 0 to 1 -> factor of tau, e.g. :func:`cosine_decay`.

    Examples
    --------
    >>> loss = TopoLoss(["fc1", "fc2"], tau=10.0)
    >>> total = task + loss(network)          # doctest: +SKIP
    """

    layers: Sequence[str]
    tau: float = 1.0
    factor: float = FACTOR
    schedule: Callable[[float], float] | None = None

    def per_layer(self, network: nn.Module) -> dict[str, Tensor]:
        """The loss of every layer, without tau."""
        return {
            name: topographic_loss(incoming_weights(module), factor=self.factor)
            for name, module in self._modules(network).items()
        }

    def of(self, network: nn.Module) -> Callable[[], Tensor]:
        """The mean over layers, without tau, as a function that holds all it needs and can be compiled.

        Parameters
        ----------
        network : Module
            Where it will stay.
        """
        parts: list[tuple[nn.Module, Tensor, Tensor]] = []
        for module in self._modules(network).values():
            weights = incoming_weights(module).detach()
            topographic_loss(weights, factor=self.factor)  # refuses what cannot be blurred
            rows, columns = grid_shape(len(weights))
            down, across = _blur_at(rows, self.factor, weights), _blur_at(columns, self.factor, weights)
            parts.append((module, down, across))

        def loss() -> Tensor:
            return torch.stack(
                [_roughness(incoming_weights(module), down, across) for module, down, across in parts]
            ).mean()

        return loss

    def strength(self, progress: float) -> float:
        """Tau after a share of the training."""
        return self.tau * (1.0 if self.schedule is None else self.schedule(progress))

    def _modules(self, network: nn.Module) -> dict[str, nn.Module]:
        modules = dict(network.named_modules())
        missing = next((name for name in self.layers if name not in modules), None)
        if missing is not None:
            raise unknown("layer", missing, modules)
        return {name: modules[name] for name in self.layers}

    def __call__(self, network: nn.Module, progress: float = 0.0) -> Tensor:
        """Tau times the mean over layers.

        Parameters
        ----------
        network : Module
        progress : float
            Share of the training that is done, for the schedule.
        """
        losses: Iterable[Tensor] = self.per_layer(network).values()
        return self.strength(progress) * torch.stack(list(losses)).mean()


def linear_warm_up(progress: float) -> float:
    """From nothing to all of tau."""
    return min(max(progress, 0.0), 1.0)


def cosine_decay(progress: float) -> float:
    """From all of tau to nothing, slowly at both ends."""
    return (1 + cos(pi * min(max(progress, 0.0), 1.0))) / 2


def spatial_correlation_loss(responses: Tensor, distances: Tensor) -> Tensor:
    """TDANN's loss: units that are close should answer alike.

    (1 - corr(r_ij, 1 / (1 + d_ij))) / 2 over the pairs of units of a neighbourhood, with r_ij the correlation of
    their responses over stimuli and d_ij their distance (mm). Margalit et al. (2024), Neuron 112:2435.

    Parameters
    ----------
    responses : tensor of shape (n_stimuli, n_units)
    distances : tensor of shape (n_units, n_units)

    Returns
    -------
    tensor
        Between 0 and 1.
    """
    n_units = responses.shape[1]
    if distances.shape != (n_units, n_units) or n_units < 3:
        raise UserError(f"distances of shape {tuple(distances.shape)} do not fit {n_units} units, at least 3")
    row, column = torch.tril_indices(n_units, n_units, offset=-1, device=responses.device)
    similarity = torch.corrcoef(responses.T)[row, column]
    nearness = 1 / (1 + distances[row, column])
    return (1 - torch.corrcoef(torch.stack([similarity, nearness]))[0, 1]) / 2
