"""A layer's Gram matrix, accumulated while the network runs: the layer itself is never stored.

With rows x_i of a layer and their mean m, G_ij = (x_i - m) . (x_j - m). Every pair of stimuli must meet once, so as
many stimuli as memory allows are held while all later ones pass by; for the next ones the network runs again. Products
are of x - c with c the mean of the first batch, which takes away most of what centring,

    G = H K H,  K_ij = (x_i - c) . (x_j - c),  H = I - 1/n,

would cancel; all in double precision.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...memory import available_bytes, require

Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
Batches = Callable[[int], Iterator[tuple[Rows, Mapping[str, Tensor]]]]
"""From the number of the first batch on: rows and, of each layer, a tensor (rows, units)."""
_SHARE = 2
"""At most this part of what memory is free holds stimuli."""
_UNITS = 1 << 16
"""Units whose products are taken at once, in double precision."""


def gram_matrices(
    batches: Batches, plan: Sequence[Rows], sizes: Mapping[str, int], n_bytes: int, held_bytes: int
) -> dict[str, Floats]:
    """The Gram matrix of each layer, of the units less their mean over all stimuli.

    Parameters
    ----------
    batches : callable
        See :data:`Batches`; it is called once a pass.
    plan : sequence of array of int
        The rows of every batch.
    sizes : mapping of str to int
        Units of each layer.
    n_bytes : int
        Of a number.
    held_bytes : int
        That held stimuli may take; a batch is held in any case.

    Returns
    -------
    dict of str to array of shape (n_stimuli, n_stimuli)

    Raises
    ------
    UserError
        Where memory would not hold the matrices and a batch, before anything is computed.
    """
    n_stimuli, a_row = sum(map(len, plan)), n_bytes * sum(sizes.values())
    require(
        16 * n_stimuli**2 * len(sizes),
        f"the Gram matrices of {len(sizes)} layers of {n_stimuli:,} stimuli",
        remedy="ask for fewer layers at once, or fewer stimuli",
    )
    products = {name: np.zeros((n_stimuli, n_stimuli)) for name in sizes}
    origin: dict[str, Tensor] = {}
    first = 0
    while first < len(plan):
        last = _end_of_block(plan, first, held_bytes // max(a_row, 1))
        held: list[tuple[Rows, dict[str, Tensor]]] = []
        for number, (rows, given) in enumerate(batches(first), start=first):
            tensors = {name: one.cpu() if one.device.type == "mps" else one for name, one in given.items()}
            if not origin:
                origin = {name: one.double().mean(dim=0) for name, one in tensors.items()}
            if number < last:
                held.append((rows, tensors))
            for name, here in tensors.items():
                blocks = _products([before[name] for _, before in held], here, origin[name])
                for (others, _), block in zip(held, blocks, strict=True):
                    products[name][np.ix_(others, rows)] = block
                    products[name][np.ix_(rows, others)] = block.T
        first = last
    return {name: _centered(one) for name, one in products.items()}


def free_bytes(device: torch.device) -> int:
    """Memory for held stimuli where a network lies."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available_bytes()
    return free // _SHARE


def _end_of_block(plan: Sequence[Rows], first: int, n_rows: int) -> int:
    """The batch after those that may be held together."""
    ends = np.cumsum([len(rows) for rows in plan[first:]])
    return first + max(1, int((ends <= n_rows).sum()))


def _products(held: Sequence[Tensor], here: Tensor, origin: Tensor) -> list[Floats]:
    """Inner products of the rows of each held batch with those of one, less an origin."""
    totals = [torch.zeros(len(one), len(here), dtype=torch.float64, device=here.device) for one in held]
    for start in range(0, here.shape[1], _UNITS):
        part = slice(start, start + _UNITS)
        ours = (here[:, part].double() - origin[part]).T
        for total, one in zip(totals, held, strict=True):
            total += (one[:, part].double() - origin[part]) @ ours
    return [total.cpu().numpy() for total in totals]


def _centered(products: Floats) -> Floats:
    products = (products + products.T) / 2  # a batch with itself is rounded in either order
    mean = products.mean(axis=0)
    products -= mean[:, None] + mean
    products += mean.mean()
    return products
