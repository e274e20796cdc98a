"""Translators between layers: what a layer would predict if its stream were put into the words of the last.

softmax(W_U norm(h + A_l h + c_l)), A_l and c_l trained by KL(final || l) from zero, which is the logit lens.
Belrose et al. (2023), Eliciting latent predictions from transformers with the tuned lens, arXiv 2303.08112.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ....errors import UserError
from ....models.extraction.language_model import LanguageModel
from ....progress import track
from .logit_lens import Floats, Read, kl_to_final, predicted_streams
from .passes import Indices
from .unembedding import Unembedding, unembedding_of

_LAST = 0.2
"""Share of the steps over which the rate of learning falls to nothing."""


@dataclass(frozen=True)
class TunedLens:
    """A translator for each stream but the last, which needs none.

    Attributes
    ----------
    matrices : Tensor of shape (n_layers, width, width)
        A_l; the stream is multiplied from the right by its transpose.
    offsets : Tensor of shape (n_layers, width)
        c_l.
    end : Unembedding
    losses : array of shape (n_steps, n_layers)
        KL on the batch of each step before it was learnt from, in nats.
    n_tokens : int
        Training tokens of one pass over them.
    seed : int
    """

    matrices: Tensor
    offsets: Tensor
    end: Unembedding
    losses: Floats
    n_tokens: int
    seed: int

    def translated(self, place: int, stream: Tensor) -> Tensor:
        """H + A_l h + c_l; the last stream as it is."""
        if place >= len(self.matrices):
            return stream
        return stream + stream @ self.matrices[place].T + self.offsets[place]

    @property
    def read(self) -> Read:
        """For :func:`.logit_lens.lens_profile` and :func:`.logit_lens.lens_grid`."""
        return lambda place, stream: self.end.logits(self.translated(place, stream))


def tune_lens(
    model: LanguageModel,
    windows: Sequence[Indices],
    *,
    steps: int = 400,
    batch_size: int = 32,
    rate: float = 3e-3,
    seed: int = 0,
    end: Unembedding | None = None,
) -> TunedLens:
    """Train a translator for each layer; the network itself stays as it is.

    Adam on the mean KL of a batch of windows, all layers in one pass, the gradient of each clipped to length 1.

    Parameters
    ----------
    model : LanguageModel
        With its language head, as :func:`.passes.predicting` gives it.
    windows : sequence of int arrays
        Training texts; held-out ones are for :func:`.logit_lens.lens_profile`.
    steps : int
    batch_size : int
        Windows a step.
    rate : float
        Of learning; it falls linearly over the last fifth of the steps.
    seed : int
        Of the order of the windows.
    end : Unembedding, optional

    Raises
    ------
    UserError
        For fewer than one step, or no window of two tokens.
    """
    if steps < 1 or batch_size < 1:
        raise UserError(f"a tuned lens takes at least 1 step of 1 window, not {steps} of {batch_size}")
    usable = [one for one in windows if len(one) > 1]
    if not usable:
        raise UserError(f"{model.identifier}: no training text has two tokens")
    end = end or unembedding_of(model)
    n_layers, width = len(end.names) - 1, end.weight.shape[1]
    learnt = [
        (torch.zeros(width, width, device=model.device), torch.zeros(width, device=model.device))
        for _ in range(n_layers)
    ]
    for one in (part for pair in learnt for part in pair):
        one.requires_grad_()
    optimizer = torch.optim.Adam([one for pair in learnt for one in pair], lr=rate)
    falling = max(1, round(_LAST * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (steps - step) / falling))
    order = _orders(len(usable), batch_size, seed)
    losses = np.empty((steps, n_layers))
    for step in track(range(steps), f"tuning the lens of {model.identifier}"):
        losses[step] = _gradients(end, model, [usable[i] for i in next(order)], learnt)
        optimizer.step()
        schedule.step()
    matrices, offsets = (torch.stack([one.detach() for one in each]) for each in zip(*learnt, strict=True))
    return TunedLens(matrices, offsets, end, losses, sum(len(one) - 1 for one in usable), seed)


def _gradients(
    end: Unembedding,
    model: LanguageModel,
    windows: Sequence[Indices],
    learnt: Sequence[tuple[Tensor, Tensor]],
) -> Floats:
    """The loss of each layer; leaves its gradient, at most of length 1, so that no layer holds another back."""
    total = sum(len(one) - 1 for one in windows)
    found = np.zeros(len(learnt))
    for pair in learnt:
        for one in pair:
            one.grad = torch.zeros_like(one)
    for streams, final, _ in predicted_streams(end, model, windows, len(windows)):
        for place, (matrix, offset) in enumerate(learnt):
            moved = streams[place] + streams[place] @ matrix.T + offset
            loss = kl_to_final(final, end.logits(moved)).sum() / total
            for one, gradient in zip(
                (matrix, offset), torch.autograd.grad(loss, (matrix, offset)), strict=True
            ):
                assert one.grad is not None
                one.grad += gradient
            found[place] += float(loss.detach())
    for pair in learnt:
        torch.nn.utils.clip_grad_norm_(pair, 1.0)
    return found


def _orders(n: int, size: int, seed: int) -> Iterator[list[int]]:
    """The windows of each step, each window once before any comes again."""
    generator = np.random.default_rng([seed, 7])
    waiting: list[int] = []
    size = min(size, n)
    while True:
        if len(waiting) < size:
            waiting += generator.permutation(n).tolist()
        yield waiting[:size]
        del waiting[:size]
