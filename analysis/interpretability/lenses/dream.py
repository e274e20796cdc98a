"""What a unit or a feature would like to see: texts found by swapping tokens, pictures by climbing its gradient.

Each round takes the gradient of the value to the one-hot tokens of the text, tries the swaps that it holds best, and
keeps the best that was tried (Ebrahimi et al. 2018, HotFlip, arXiv 1712.06751). What comes out is odd as a rule: it
shows what the value can be driven by, not what usually drives it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ....errors import UserError
from ....progress import track

Indices = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
_PATIENCE = 3
"""Rounds of swaps at random, after one by the gradient, that may all fail before a start ends."""
Value = Callable[[Tensor, Tensor], Tensor]
"""(token ids (batch, tokens), their vectors (batch, tokens, width)) -> (batch,), computed from the vectors."""


@dataclass(frozen=True)
class TextDream:
    """The best text that was found.

    Attributes
    ----------
    tokens : array of int, shape (n_tokens,)
    value : float
    history : array of shape (n_rounds + 1,)
        The best value after each round, of the start that won.
    starts : array of shape (n_starts,)
        The value reached from each start.
    random : float
        The best value of as many random texts as were tried.
    n_tried : int
        Texts whose value was asked for.
    """

    tokens: Indices
    value: float
    history: Floats
    starts: Floats
    random: float
    n_tried: int


def dream_text(
    value: Value,
    table: Tensor,
    n_tokens: int,
    *,
    rounds: int = 30,
    candidates: int = 64,
    n_starts: int = 4,
    start: Sequence[npt.ArrayLike] = (),
    free: Sequence[int] | None = None,
    allowed: Sequence[int] | None = None,
    batch_size: int = 64,
    seed: int = 0,
) -> TextDream:
    """Search for the text of so many tokens that a value is highest for.

    Parameters
    ----------
    value : callable
        (ids, vectors) -> (batch,); gradients are taken to the vectors.
    table : Tensor of shape (n_vocabulary, width)
        The vector of each token.
    n_tokens : int
    rounds : int
        Where no swap helps, or there is no gradient, the next are drawn at random; a start ends after some in vain.
    candidates : int
        Single swaps that are tried a round: the best by the gradient.
    n_starts : int
        Random texts to begin with, after those of `start`.
    start : sequence of int arrays
        Texts to begin with, such as top contexts.
    free : sequence of int, optional
        The places that may change; all by default.
    allowed : sequence of int, optional
        The tokens that may be put in; all by default.
    batch_size : int
    seed : int

    Raises
    ------
    UserError
        For texts without tokens, or a start of another length.
    """
    if n_tokens < 1 or rounds < 1 or candidates < 1 or n_starts + len(start) < 1:
        raise UserError("a dream needs at least one token, one round, one candidate and one start")
    generator = np.random.default_rng([seed, 31])
    words = np.arange(len(table)) if allowed is None else np.unique(np.asarray(allowed, np.intp))
    places = np.arange(n_tokens) if free is None else np.unique(np.asarray(free, np.intp))
    if len(words) < 2 or len(places) < 1 or places.max() >= n_tokens:
        raise UserError(f"a dream needs two tokens to choose from and places below {n_tokens}")
    begun = [np.asarray(one, np.intp) for one in start]
    if wrong := [one for one in begun if one.shape != (n_tokens,)]:
        raise UserError(f"a start has {wrong[0].size} tokens, the dream {n_tokens}")
    drawn = [generator.choice(words, n_tokens) for _ in range(n_starts)]
    for one in drawn:  # what may not change is that of the first start, where there is one
        if begun:
            fixed = np.setdiff1d(np.arange(n_tokens), places)
            one[fixed] = begun[0][fixed]
    search = _Search(value, table.detach(), words, places, candidates, batch_size, generator)
    ends = [search.climbed(one, rounds) for one in track([*begun, *drawn], "dreaming a text")]
    best = max(ends, key=lambda end: end[1][-1])
    n_tried = search.n_tried
    noise = search.at_random(best[0], n_tried)
    return TextDream(
        best[0], best[1][-1], np.array(best[1]), np.array([end[1][-1] for end in ends]), noise, n_tried
    )  # fmt: skip


class _Search:
    def __init__(
        self,
        value: Value,
        table: Tensor,
        words: Indices,
        places: Indices,
        candidates: int,
        batch_size: int,
        generator: np.random.Generator,
    ) -> None:
        self.value, self.table, self.words, self.places = value, table, words, places
        self.candidates, self.batch_size, self.generator = candidates, batch_size, generator
        self.n_tried = 0

    def climbed(self, text: Indices, rounds: int) -> tuple[Indices, list[float]]:
        history = [float(self.values(text[None])[0])]
        lost = 0
        for _ in range(rounds):
            swaps = self._swaps(text, by_gradient=not lost)
            found = self.values(swaps)
            best = int(found.argmax())
            lost = 0 if found[best] > history[-1] else lost + 1
            if lost == _PATIENCE:
                break
            if not lost:
                text = swaps[best]
            history.append(max(float(found[best]), history[-1]))
        return text, history

    def values(self, texts: Indices) -> Floats:
        self.n_tried += len(texts)
        found = []
        with torch.no_grad():
            for start in range(0, len(texts), self.batch_size):
                ids = torch.from_numpy(texts[start : start + self.batch_size]).long().to(self.table.device)
                found.append(self.value(ids, self.table[ids]).double().cpu().numpy())
        return np.concatenate(found)

    def _swaps(self, text: Indices, *, by_gradient: bool) -> Indices:
        """Texts that differ from one in a token: those that the gradient holds best, which sees a line; or any."""
        slope = self._slope(text) if by_gradient else None
        if slope is None:
            gain = torch.from_numpy(self.generator.random((len(self.places), len(self.words))))
        else:
            at = slope[torch.from_numpy(self.places)]
            gain = at @ self.table[torch.from_numpy(self.words)].T
            gain = gain - (at * self.table[torch.from_numpy(text[self.places])]).sum(dim=1, keepdim=True)
        same = torch.from_numpy(self.words[None] == text[self.places][:, None]).to(gain.device)
        flat = gain.masked_fill(same, -torch.inf).flatten()
        chosen = flat.topk(min(self.candidates, int((~same).sum()))).indices.cpu().numpy()
        swaps = np.repeat(text[None], len(chosen), axis=0)
        where, word = np.divmod(chosen, len(self.words))
        swaps[np.arange(len(chosen)), self.places[where]] = self.words[word]
        return swaps

    def _slope(self, text: Indices) -> Tensor | None:
        """The gradient of the value to the vectors of a text, (n_tokens, width); None where it is 0."""
        ids = torch.from_numpy(text).long().to(self.table.device)[None]
        vectors = self.table[ids].detach().requires_grad_()
        with torch.enable_grad():
            reached = self.value(ids, vectors).sum()
            slope = (
                torch.autograd.grad(reached, vectors, allow_unused=True)[0] if reached.requires_grad else None
            )
        if slope is None or not bool(slope.abs().sum() > 0):
            return None
        return slope[0]

    def at_random(self, like: Indices, n: int) -> float:
        texts = np.repeat(like[None], n, axis=0)
        texts[:, self.places] = self.generator.choice(self.words, (n, len(self.places)))
        return float(self.values(texts).max())


@dataclass(frozen=True)
class PictureDream:
    """The picture that was climbed to.

    Attributes
    ----------
    pixels : array of shape (height, width, 3)
        From 0 to 1.
    value : float
        Of the picture as it is, without jitter.
    history : array of shape (n_steps,)
        Before each step, jittered.
    noise : float
        The highest value of as many pictures as it was begun with: noise of the same spectrum, not climbed.
    """

    pixels: Floats
    value: float
    history: Floats
    noise: float


def dream_picture(
    value: Callable[[Tensor], Tensor],
    size: tuple[int, int],
    *,
    steps: int = 200,
    rate: float = 0.05,
    jitter: int = 4,
    smoothness: float = 0.1,
    n_noise: int = 32,
    seed: int = 0,
) -> PictureDream:
    """Climb the gradient of a value over pictures, from noise, in the space of spatial frequencies.

    A picture is sigmoid(irfft2(c / f)): all frequencies move alike, so that no checkerboard outruns them. Every step
    sees it shifted by up to `jitter` pixels, and pays `smoothness` times its total variation.

    Parameters
    ----------
    value : callable
        Pictures (batch, 3, height, width) from 0 to 1 -> (batch,).
    size : (int, int)
        Height and width.
    steps : int
    rate : float
        Of Adam.
    jitter : int
        Pixels; 0 for none.
    smoothness : float
        In units of the value's own size, which the first step measures.
    n_noise : int
        Pictures of noise that the value is compared with.
    seed : int
    """
    height, width = size
    if height < 2 or width < 2 or steps < 1 or jitter < 0 or n_noise < 1:
        raise UserError("a picture is dreamt of at least 2 x 2 pixels in at least 1 step")
    generator = torch.Generator().manual_seed(seed)
    frequency = torch.sqrt(torch.fft.fftfreq(height)[:, None] ** 2 + torch.fft.rfftfreq(width)[None] ** 2)
    scale = (1 / frequency.clamp_min(1 / max(height, width)))[..., None] / (height * width) ** 0.5

    def drawn(n: int) -> Tensor:
        return 0.1 * torch.randn(n, 3, height, width // 2 + 1, 2, generator=generator)

    def picture(numbers: Tensor) -> Tensor:
        spectrum = torch.view_as_complex(numbers * scale)
        waves: Tensor = torch.fft.irfft2(spectrum, s=(height, width), norm="ortho")
        return waves.mul(4).sigmoid()

    noise = drawn(n_noise)
    with torch.no_grad():
        known = value(picture(noise))
    numbers = noise[int(known.argmax())][None].clone().requires_grad_()
    unit = float(known.std()) if n_noise > 1 and float(known.std()) > 0 else 1.0
    optimizer = torch.optim.Adam([numbers], lr=rate)
    history = np.empty(steps)
    for step in track(range(steps), "dreaming a picture"):
        shown = picture(numbers)
        shift = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist()
        reached = value(shown.roll(shift, dims=(2, 3))).sum()
        history[step] = float(reached.detach())
        variation = shown.diff(dim=2).abs().mean() + shown.diff(dim=3).abs().mean()
        loss = smoothness * variation * shown[0].numel() ** 0.5 - reached / unit
        (numbers.grad,) = torch.autograd.grad(loss, numbers)  # and none for the network's own weights
        optimizer.step()
    with torch.no_grad():
        last = picture(numbers)
        return PictureDream(
            last[0].permute(1, 2, 0).double().numpy(), float(value(last)[0]), history, float(known.max())
        )
