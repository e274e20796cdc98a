"""Answers above a threshold of each feature's own, sparse by their number (Rajamanoharan 2024, arXiv 2407.14435)."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..codes import Codes, Weights, codes_of
from .base import Batch, Learning, Outcome, variant
from .penalised import answers, penalty_weight, read_out

WIDTH = 0.001
"""Of the rectangle through which thresholds take gradients, for rows of norm 1."""
_NAME, _SET = "log_threshold", "thresholds_set"
_FIRST_ACTIVE = 4
"""Times the wanted number of active features that the first batch has."""


class _Jump(torch.autograd.Function):
    """``a H(a - theta)``, and to theta ``-theta / w`` where a is within w / 2 of it."""

    @staticmethod
    def forward(ctx: Any, answer: Tensor, threshold: Tensor, width: float) -> Tensor:
        ctx.save_for_backward(answer, threshold)
        ctx.width = width
        return torch.where(answer > threshold, answer, 0.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        answer, threshold = ctx.saved_tensors
        gradient, near = gradients[0], (answer - threshold).abs() < ctx.width / 2
        of_threshold = -(threshold / ctx.width) * torch.where(near, gradient, 0.0).sum(0)
        return torch.where(answer > threshold, gradient, 0.0), of_threshold, None


class _Step(torch.autograd.Function):
    """``H(a - theta)``, and to theta ``-1 / w`` where a is within w / 2 of it."""

    @staticmethod
    def forward(ctx: Any, answer: Tensor, threshold: Tensor, width: float) -> Tensor:
        ctx.save_for_backward(answer, threshold)
        ctx.width = width
        return (answer > threshold).to(answer.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        answer, threshold = ctx.saved_tensors
        near = (answer - threshold).abs() < ctx.width / 2
        return None, -(1 / ctx.width) * torch.where(near, gradients[0], 0.0).sum(0), None


class JumpRelu(Learning):
    """Loss: the fraction of variance left + lambda mean number of active features.

    Thresholds are positive (their logarithm learns), begin where the first batch has four times the wanted number of
    active features, and take a straight-through gradient by a rectangle of width .001 sqrt(d), which is .001 for rows
    scaled to norm 1 as in the paper.
    """

    sparse = False

    def begin(self, weights: Weights, generator: torch.Generator) -> Weights:
        """With thresholds."""
        del generator
        return replace(weights, extra={**weights.extra, _NAME: torch.zeros_like(weights.encoder_bias)})

    def run(self, batch: Batch) -> Outcome:
        """Loss and reconstruction of a batch."""
        width = WIDTH * batch.x.shape[1] ** 0.5
        answer = answers(batch).relu()
        if batch.state.setdefault(_SET, 0.0) == 0.0:
            batch.weights.extra[_NAME].data.fill_(_first_threshold(answer, batch.active).log())
            batch.state[_SET] = 1.0
        threshold = batch.weights.extra[_NAME].exp()
        features = _Jump.apply(answer, threshold, width)  # type: ignore[no-untyped-call]
        made = read_out(batch, features)
        firing = features.detach() > 0
        n_active = float(firing.sum()) / len(features)
        weight = penalty_weight(batch, 0.02 / batch.active, n_active)
        steps = _Step.apply(answer, threshold, width)  # type: ignore[no-untyped-call]
        loss = batch.error(made) + weight * steps.sum(1).mean()
        return Outcome(loss, made, firing.any(0).nonzero()[:, 0], n_active)

    def finished(self, weights: Weights, state: dict[str, float]) -> Weights:
        """With the thresholds themselves."""
        del state
        extra = {name: value for name, value in weights.extra.items() if name != _NAME}
        return replace(weights, threshold=weights.extra[_NAME].exp(), extra=extra)


def _first_threshold(answer: Tensor, active: int) -> Tensor:
    """What as many answers of the first batch exceed, per row, as four times the wanted number."""
    wanted = min(_FIRST_ACTIVE * active, answer.shape[1])
    return answer.detach().topk(wanted, dim=1).values[:, -1].mean().clamp_min(1e-3)


@variant(
    "jumprelu", "every answer above its feature's threshold, sparse by a penalty on their number", JumpRelu()
)
def jumprelu_codes(pre: Tensor, weights: Weights) -> Codes:
    """F = pre where it exceeds the feature's threshold, else 0.

    Parameters
    ----------
    pre : Tensor of shape (n_rows, n_features)
    weights : Weights
    """
    threshold = 0.0 if weights.threshold is None else weights.threshold
    return codes_of(torch.where(pre > threshold, pre.clamp_min(0), 0.0))
