"""What small steps of a layer's rows do to what a network predicts, many windows and many steps in one pass.

A step changes rows of one window along one direction: x_t -> x_t + a_t d. Silencing a feature is such a step, with
a_t = -f(x_t) at the tokens where it is active; so is a unit that is set to its mean. In one pass each window of a batch
has a step of its own, beside the same windows as they are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ....errors import UserError
from ....models.extraction.language_model import LanguageModel
from ....progress import track
from .passes import Indices, scored, token_loss

Floats = npt.NDArray[np.float32]
Watch = Callable[[Indices, Tensor, Tensor], None]
"""(number of each step, scores before, scores after (n, vocabulary)) at the tokens that are watched."""
Step = tuple[int, int, Indices, Floats, npt.NDArray[np.bool_]]
"""Window, row of the directions; and of each changed token its place, its size, and whether it is watched."""
_BLOCK = 1 << 24
"""Most scores that are held at once."""
_MOST_WINDOWS = 256


@dataclass(frozen=True)
class Steps:
    """Steps of windows, the changed tokens of step i from ``start[i]`` to ``start[i + 1]``.

    Attributes
    ----------
    window, direction : array of int, shape (n_steps,)
        The window that a step changes, and the row of the directions that it goes along.
    start : array of int, shape (n_steps + 1,)
    place : array of int
        Of each changed token in its window.
    size : array
        a_t.
    watched : array of bool
        Whether scores behind the token are given to who watches.
    """

    window: Indices
    direction: Indices
    start: Indices
    place: Indices
    size: Floats
    watched: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.window)

    @classmethod
    def of(cls, each: Sequence[Step]) -> "Steps":
        """From each one."""
        if not each:
            empty = np.empty(0, np.intp)
            return cls(empty, empty, np.zeros(1, np.intp), empty, np.empty(0, np.float32), empty.astype(bool))
        lengths = [len(places) for _, _, places, _, _ in each]
        return cls(
            np.array([one[0] for one in each], np.intp),
            np.array([one[1] for one in each], np.intp),
            np.cumsum([0, *lengths]),
            np.concatenate([one[2] for one in each]).astype(np.intp),
            np.concatenate([one[3] for one in each]).astype(np.float32),
            np.concatenate([one[4] for one in each]).astype(bool),
        )

    def tokens(self, steps: Indices) -> tuple[Indices, Indices]:
        """Where the changed tokens of some steps stand, and which of these steps each is of."""
        lengths = self.start[steps + 1] - self.start[steps]
        owner = np.repeat(np.arange(len(steps)), lengths)
        first = np.repeat(np.cumsum(lengths) - lengths, lengths)
        return np.repeat(self.start[steps], lengths) + np.arange(len(owner)) - first, owner


def step_losses(
    model: LanguageModel,
    layer: str,
    windows: Sequence[Indices],
    directions: Tensor,
    steps: Steps,
    watch: Watch | None = None,
) -> list[Floats]:
    """Change of -ln p of every token but the first of a step's window, in nats, one array a step.

    Parameters
    ----------
    model : LanguageModel
        With its language head, as :func:`.passes.predicting` gives it.
    layer : str
    windows : sequence of int arrays
    directions : Tensor of shape (n_directions, n_units)
    steps : Steps
    watch : callable, optional

    Raises
    ------
    UserError
        For a layer without a vector a token.
    """
    found: list[Floats] = [np.empty(0, np.float32)] * len(steps)
    directions = directions.to(model.device)
    vocabulary = scored(model, model._probe().ids[:1]).shape[-1]
    batches = list(_batches(windows, steps, vocabulary))
    for chosen in track(batches, f"steps at {layer}"):
        known, base = np.unique(steps.window[chosen], return_inverse=True)
        ids = np.stack([windows[i] for i in [*known, *steps.window[chosen]]])
        tokens, owner = steps.tokens(chosen)
        stepping = _Stepping(
            layer,
            torch.from_numpy(len(known) + owner).to(model.device),
            torch.from_numpy(steps.place[tokens]).to(model.device),
            torch.from_numpy(steps.size[tokens]).to(directions)[:, None]
            * directions[torch.from_numpy(steps.direction[chosen][owner])],
            ids.shape,
        )
        given = torch.from_numpy(ids).long().to(model.device)
        scores = scored(model.with_lesions(stepping), given)
        if not stepping.seen:
            raise UserError(f"layer {layer!r} of {model.identifier} never answered")
        losses = token_loss(scores, given)
        change = (losses[len(known) :] - losses[torch.from_numpy(base)]).cpu().numpy()
        for number, own in zip(chosen, change, strict=True):
            found[number] = own
        if watch is not None:
            seen = steps.watched[tokens]
            owner, at = owner[seen], torch.from_numpy(steps.place[tokens][seen])
            before = scores[torch.from_numpy(base[owner]), at]
            watch(chosen[owner], before, scores[torch.from_numpy(len(known) + owner), at])
    return found


def _batches(windows: Sequence[Indices], steps: Steps, vocabulary: int) -> Iterator[Indices]:
    """Steps in windows of one length, those in one window together; no more than can be scored at once."""
    lengths = np.array([len(windows[i]) for i in steps.window], np.intp)
    for length in np.unique(lengths[lengths > 1]):
        same = np.flatnonzero(lengths == length)
        same = same[np.argsort(steps.window[same], kind="stable")]
        most = max(2, min(_MOST_WINDOWS, _BLOCK // int(length * vocabulary)))
        start, held, last = 0, 0, -1
        for i, window in enumerate(steps.window[same]):
            more = 1 + (window != last)
            if held + more > most and i > start:
                yield same[start:i]
                start, held, more = i, 0, 2
            held, last = held + more, int(window)
        yield same[start:]


@dataclass(frozen=True)
class _Stepping:
    layer: str
    row: Tensor
    place: Tensor
    added: Tensor
    shape: tuple[int, ...]
    seen: list[bool] = field(default_factory=list)

    def applied(self, output: Tensor) -> Tensor:
        if (
            output.ndim != 3
            or tuple(output.shape[:2]) != self.shape
            or output.shape[2] != self.added.shape[1]
        ):
            raise UserError(f"layer {self.layer!r} has no vector a token, or not in the order of its tokens")
        self.seen.append(True)
        return output.index_put((self.row, self.place), self.added.to(output.dtype), accumulate=True)
