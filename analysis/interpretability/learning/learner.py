"""One step after another: the state of a training, its steps, and all of it as tensors for a checkpoint."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..codes import Weights
from ..variants.base import VARIANTS, Batch, Outcome
from .revival import resample, revival_loss
from .settings import Settings

_BETAS, _EPSILON = (0.9, 0.999), 6e-10
_MOST_NORM = 1.0
_RESAMPLINGS = 4
_NEVER = -1


class Learner:
    """Weights that learn.

    Parameters
    ----------
    settings : Settings
    n_units, n_out : int
        Of what is read and of what is made.
    n_different : int
        Different rows that there are.
    """

    def __init__(self, settings: Settings, n_units: int, n_out: int, n_different: int) -> None:
        self.settings = settings
        self.learning = VARIANTS[settings.variant].learning
        self.dead_after = settings.dead_rows(n_different)
        generator = torch.Generator().manual_seed(settings.seeds.init)
        weights = self.learning.begin(_beginning(settings, n_units, n_out, generator), generator)
        self.weights = _with_tensors(weights, {name: one.clone() for name, one in weights.tensors().items()})
        self.trained = {
            name: one.requires_grad_()
            for name, one in self.weights.tensors().items()
            if name not in self.learning.fixed
        }
        self.optimizer = torch.optim.Adam(
            list(self.trained.values()), lr=1.0, betas=_BETAS, eps=_EPSILON, fused=True
        )
        self.last_fired = torch.zeros(settings.n_features, dtype=torch.int64)
        self.fired = torch.zeros(settings.n_features, dtype=torch.int64)
        self.state: dict[str, float] = {} if settings.penalty is None else {"fixed_penalty": settings.penalty}
        self.step_number, self.rows_seen = 0, 0

    @property
    def dead(self) -> Tensor:
        """Features that no row of the last `dead_after` made active, int64."""
        return (self.rows_seen - self.last_fired >= self.dead_after).nonzero()[:, 0]

    def step(self, x: Tensor, target: Tensor) -> dict[str, float]:
        """Learn from one batch of scaled rows.

        Returns
        -------
        dict
            ``fvu``, ``active`` (mean features of a row), ``dead``.
        """
        settings, dead = self.settings, self.dead
        done = self.step_number / settings.n_steps
        batch = Batch(x, target, self.weights, settings.active, done, settings.product, self.state)
        outcome = self.learning.run(batch)
        residual = target - outcome.made.detach()
        loss = outcome.loss
        if self.learning.revives and len(dead):
            loss = loss + settings.revival * revival_loss(self.weights, x, residual, dead)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._descend()
        self._count(outcome, len(x))
        if self.learning.resamples and self._resamples_now() and len(dead):
            self._resample(x, residual.square().sum(1), dead)
        fvu = float(residual.square().sum() / batch.spread)
        return {"fvu": fvu, "active": outcome.n_active, "dead": float(len(dead))}

    def finished(self) -> Weights:
        """The weights as they are kept."""
        plain = _with_tensors(
            self.weights, {name: one.detach().clone() for name, one in self.weights.tensors().items()}
        )
        return replace(self.learning.finished(plain, self.state), k=self.settings.active)

    def tensors(self) -> dict[str, Tensor]:
        """All that a later step depends on."""
        kept = {f"weights.{name}": one.detach() for name, one in self.weights.tensors().items()}
        for name, (first, second) in self._moments().items():
            kept |= {f"first.{name}": first, f"second.{name}": second}
        return kept | {"last_fired": self.last_fired, "fired": self.fired}

    def numbers(self) -> dict[str, Any]:
        """Beside the tensors: where the training stands."""
        return {"step": self.step_number, "rows_seen": self.rows_seen, "state": dict(self.state)}

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Go on from what `tensors` and `numbers` gave."""
        with torch.no_grad():
            for name, one in self.weights.tensors().items():
                one.copy_(tensors[f"weights.{name}"])
        steps = float(numbers["step"])
        for name, parameter in self.trained.items():
            self.optimizer.state[parameter] = {
                "step": torch.tensor(steps),
                "exp_avg": tensors[f"first.{name}"].clone(),
                "exp_avg_sq": tensors[f"second.{name}"].clone(),
            }
        self.last_fired, self.fired = tensors["last_fired"].clone(), tensors["fired"].clone()
        self.step_number, self.rows_seen = int(numbers["step"]), int(numbers["rows_seen"])
        self.state = {str(name): float(value) for name, value in numbers["state"].items()}

    def _descend(self) -> None:
        decoder = self.weights.decoder
        turns = self.learning.unit_norm and decoder.grad is not None
        if turns and decoder.grad is not None:
            along = torch.linalg.vecdot(decoder.grad, decoder.detach())
            decoder.grad.addcmul_(decoder.detach(), along[:, None], value=-1)
        torch.nn.utils.clip_grad_norm_(list(self.trained.values()), _MOST_NORM)
        self.optimizer.param_groups[0]["lr"] = self.settings.rate(self.step_number)
        self.optimizer.step()
        if turns:
            with torch.no_grad():
                decoder.div_(decoder.norm(dim=1, keepdim=True).clamp_min(1e-12))

    def _count(self, outcome: Outcome, n_rows: int) -> None:
        self.step_number += 1
        self.rows_seen += n_rows
        self.last_fired[outcome.fired.long()] = self.rows_seen
        self.fired += torch.bincount(outcome.fired, minlength=len(self.fired))

    def _resamples_now(self) -> bool:
        every = max(1, self.settings.n_steps // _RESAMPLINGS)
        return self.step_number % every == 0 and self.step_number < self.settings.n_steps

    def _resample(self, x: Tensor, losses: Tensor, dead: Tensor) -> None:
        generator = torch.Generator().manual_seed(self.settings.seeds.batch * 1_000_003 + self.step_number)
        resample(self.weights, self._moments(), x, losses, dead, generator)
        self.last_fired[dead] = self.rows_seen

    def _moments(self) -> dict[str, tuple[Tensor, Tensor]]:
        kept = self.optimizer.state
        return {
            name: (kept[one]["exp_avg"], kept[one]["exp_avg_sq"])
            for name, one in self.trained.items()
            if one in kept
        }


def _beginning(settings: Settings, n_units: int, n_out: int, generator: torch.Generator) -> Weights:
    """Isotropic unit rows of the decoder; the encoder the same where both have the same width, else its own."""
    decoder = torch.nn.functional.normalize(
        torch.randn(settings.n_features, n_out, generator=generator), dim=1
    )
    encoder = decoder
    if n_out != n_units or VARIANTS[settings.variant].learning.transcodes:
        encoder = torch.nn.functional.normalize(
            torch.randn(settings.n_features, n_units, generator=generator), dim=1
        )
    zeros = torch.zeros(settings.n_features)
    return Weights(encoder, decoder, zeros, torch.zeros(n_units), settings.active)


def _with_tensors(weights: Weights, tensors: dict[str, Tensor]) -> Weights:
    extra = {name: tensors[f"extra.{name}"] for name in weights.extra}
    plain = {name: one for name, one in tensors.items() if not name.startswith("extra.")}
    return replace(weights, **plain, extra=extra)  # type: ignore[arg-type]
