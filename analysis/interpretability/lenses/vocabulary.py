"""The tokens that a unit or a feature promotes and suppresses: r = W_U (g * (W_o d)).

d is the unit's axis or the feature's direction in the layer, W_o what the layer writes into the residual stream, g the
gain of the last norm, W_U the unembedding: the direct way to the output, without what later blocks make of it. The
causal twin adds alpha d while the network runs. Geva et al. (2022), arXiv 2203.14680; for the comparison of what is
read off with what is caused, Gur-Arieh et al. (2025), arXiv 2501.08319.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ....errors import UserError
from ....models.extraction.language_model import LanguageModel
from ....models.extraction.layer_names import given_to
from ....models.interventions.steering import Steer
from .passes import Indices, layer_in, predicting, scored, scores_of, token_batches
from .unembedding import Unembedding, is_linear, matrix_of, same, streams_of, unembedding_of

Floats = npt.NDArray[np.float64]
_BLOCK = 1 << 24
"""Most scores that are held at once."""
_FAR = 1e4
"""How many times as long as the stream a push is that shows whether a layer is added to it."""
_TRIED = 3
"""Units that are pushed to see whether a map reads a layer unit by unit."""


@dataclass(frozen=True)
class Write:
    """How a layer's units get into the residual stream.

    Attributes
    ----------
    layer : str
    matrix : Tensor of shape (width, n_units) or None
        W_o; None where the layer is the stream itself, or is added to it.
    through : str
        The linear map; "" where there is none.
    exact : bool
        Whether the map is given the layer's own values; not so where a function of each unit alone stands between.
    """

    layer: str
    matrix: Tensor | None
    through: str
    exact: bool

    def into_stream(self, directions: Tensor) -> Tensor:
        """(n, n_units) -> (n, width)."""
        return directions if self.matrix is None else directions @ self.matrix.T


def write_of(model: LanguageModel, end: Unembedding, layer: str) -> Write:
    """Find what a layer writes with, by what the network computes.

    The first linear map called behind the layer in its block that is given the layer's values, or a function of each
    unit alone (pushing a unit changes that column of its input and no other). A layer as wide as the stream is added to
    it if a push as long as no block answers arrives at the end as it is.

    Parameters
    ----------
    model : LanguageModel
        With its language head.
    end : Unembedding
    layer : str
        ``MODULE#in`` for what a module is given.

    Raises
    ------
    UserError
        For a layer that writes through no such map.
    """
    name, _, part = layer.partition("#")
    module = model.module.get_submodule(name)
    width = end.weight.shape[1]
    if part == "in" and is_linear(module) and len(matrix_of(module)) == width:
        return Write(layer, matrix_of(module), name, True)
    output, maps = _maps_behind(model, end, layer)
    given = next((one for one, taken in maps.items() if same(taken, output)), None)
    if given is None and output.shape[-1] == width and _is_added(model, end, layer):
        return Write(layer, None, "", True)
    if given is not None and matrix_of(model.module.get_submodule(given)).shape == (width, output.shape[-1]):
        return Write(layer, matrix_of(model.module.get_submodule(given)), given, True)
    for one, taken in maps.items():
        matrix = matrix_of(model.module.get_submodule(one))
        if matrix.shape == (width, output.shape[-1]) and _unit_by_unit(model, end, layer, one, taken):
            return Write(layer, matrix, one, False)
    raise UserError(
        f"{model.identifier}: the units of {layer!r} go through no single linear map into the residual stream: choose "
        "the layer in front of a block's last linear map, or a block"
    )


def _maps_behind(model: LanguageModel, end: Unembedding, layer: str) -> tuple[Tensor, dict[str, Tensor]]:
    """What the layer gives for a few tokens, and what each linear map behind it in its block is given."""
    name, _, part = layer.partition("#")
    block = next((one for one in end.blocks if f"{name}.".startswith(f"{one}.")), "")
    found: list[Tensor] = []
    maps: dict[str, Tensor] = {}

    def keep_layer(_module: nn.Module, inputs: Any, output: Any = None) -> None:
        value = given_to(inputs, layer) if part == "in" else output
        found[:] = [value[0] if isinstance(value, tuple) else value]
        maps.clear()

    def keeping(one: str) -> Any:
        def keep(_module: nn.Module, inputs: Any) -> None:
            if found and inputs and isinstance(inputs[0], Tensor):
                maps[one] = inputs[0]

        return keep

    linear = [
        one
        for one, child in model.module.named_modules()
        if block and one.startswith(f"{block}.") and is_linear(child)
    ]
    ids = model._probe().ids[:1]
    with model.running() as module, torch.no_grad():
        asked = module.get_submodule(name)
        handles = [
            asked.register_forward_pre_hook(keep_layer)
            if part == "in"
            else asked.register_forward_hook(keep_layer),
            *(module.get_submodule(one).register_forward_pre_hook(keeping(one)) for one in linear),
        ]
        try:
            scores_of(model, module, ids)
        finally:
            for handle in handles:
                handle.remove()
    if not found or not isinstance(found[0], Tensor) or found[0].ndim != 3:
        raise UserError(
            f"{model.identifier}: layer {layer!r} has no vector a token: it writes nothing that is read"
        )
    return found[0], maps


def _unit_by_unit(model: LanguageModel, end: Unembedding, layer: str, map_name: str, before: Tensor) -> bool:
    """Whether pushing a unit of the layer changes that column of what the map is given, and no other."""
    n_units = before.shape[-1]
    for unit in np.unique(np.linspace(0, n_units - 1, _TRIED).astype(int)).tolist():
        axis = torch.zeros(n_units)
        axis[unit] = 1
        after = _maps_behind(model.with_lesions(Steer(layer, axis, 1.0)), end, layer)[1].get(map_name)
        if after is None or after.shape != before.shape:
            return False
        changed = (after - before).abs().amax(dim=(0, 1))
        others = torch.cat([changed[:unit], changed[unit + 1 :]])
        if not changed[unit] > 0 or bool(others.max() > 1e-4 * changed[unit]):
            return False
    return True


def _is_added(model: LanguageModel, end: Unembedding, layer: str) -> bool:
    """Whether a layer is a part of the stream: what blocks make of a long push is bounded by their norms."""
    ids = model._probe().ids[:1]
    before = streams_of(end, model, ids)[0][-1]
    width = before.shape[-1]
    far = _FAR * (1 + float(before.abs().max()))
    for unit in (0, width - 1):
        axis = torch.zeros(width)
        axis[unit] = 1
        after = streams_of(end, model.with_lesions(Steer(layer, axis, far)), ids)[0][-1]
        away = (after - before) / far - axis.to(before)
        if not bool(away.abs().max() < 0.1):
            return False
    return True


def logit_vectors(directions: Tensor, write: Write, end: Unembedding) -> Tensor:
    """What directions of a layer add to the scores of tokens, less the mean over tokens; (n, vocabulary).

    Parameters
    ----------
    directions : Tensor of shape (n, n_units)
    write : Write
    end : Unembedding
    """
    with torch.no_grad():
        vectors = (write.into_stream(directions.to(end.weight)) * end.gain.to(end.weight)) @ end.weight.T
        return vectors - vectors.mean(dim=1, keepdim=True)


def kurtosis(vectors: Tensor) -> Tensor:
    """Fourth moment over squared variance along the last axis; 3 for a normal distribution."""
    away = vectors.double() - vectors.double().mean(dim=-1, keepdim=True)
    return (away**4).mean(dim=-1) / (away**2).mean(dim=-1) ** 2


@dataclass(frozen=True)
class Vocabulary:
    """What some directions promote and suppress.

    Attributes
    ----------
    promoted, suppressed : array of int, shape (n, n_tokens)
        Strongest first, ranked after the mean over all directions of the layer was taken away.
    promoted_by, suppressed_by : array of shape (n, n_tokens)
        In scores of tokens a unit of activation.
    kurtosis : array of shape (n,)
        Of the whole vector over tokens: how much it is concentrated on few.
    kurtosis_random : array of shape (n_random,)
        The same of random directions of the layer: what no unit had to learn.
    through : str
        The linear map that writes.
    exact : bool
        See :class:`Write`.
    """

    promoted: Indices
    suppressed: Indices
    promoted_by: Floats
    suppressed_by: Floats
    kurtosis: Floats
    kurtosis_random: Floats
    through: str
    exact: bool


def way_out(model: Any, layer: str) -> tuple[LanguageModel, Unembedding, Write]:
    """A network with its head, its unembedding, and how a layer gets into what that reads.

    Parameters
    ----------
    model : Model
    layer : str
        As the network with or without its head names it.

    Raises
    ------
    UserError
        For a network without an output vocabulary, or one in which there is no such way.
    """
    whole = predicting(model)
    end = unembedding_of(whole)
    return whole, end, write_of(whole, end, layer_in(whole, layer))


def vocabulary(
    directions: Tensor,
    write: Write,
    end: Unembedding,
    *,
    everything: Tensor | None = None,
    n_tokens: int = 20,
    n_random: int = 200,
    seed: int = 0,
) -> Vocabulary:
    """The tokens that directions promote and suppress, beside random directions.

    Parameters
    ----------
    directions : Tensor of shape (n, n_units)
        Units are rows of the identity, features their directions.
    write, end
    everything : Tensor of shape (n_all, n_units), optional
        All directions of the layer, whose mean is what frequent tokens gain from any of them; `directions` by default.
    n_tokens : int
        At each end.
    n_random : int
        Random directions, isotropic.
    seed : int
    """
    usual = logit_vectors(
        (directions if everything is None else everything).mean(dim=0, keepdim=True), write, end
    )
    count = min(n_tokens, end.weight.shape[0])
    tops, bottoms, peaks = [], [], []
    step = max(1, _BLOCK // end.weight.shape[0])
    for start in range(0, len(directions), step):
        vectors = logit_vectors(directions[start : start + step], write, end)
        peaks.append(kurtosis(vectors))
        tops.append((vectors - usual).topk(count, dim=1))
        bottoms.append((usual - vectors).topk(count, dim=1))
    random = torch.randn(n_random, directions.shape[1], generator=torch.Generator().manual_seed(seed))
    return Vocabulary(
        torch.cat([one.indices for one in tops]).cpu().numpy(),
        torch.cat([one.indices for one in bottoms]).cpu().numpy(),
        torch.cat([one.values for one in tops]).double().cpu().numpy(),
        -torch.cat([one.values for one in bottoms]).double().cpu().numpy(),
        torch.cat(peaks).cpu().numpy(),
        kurtosis(logit_vectors(random, write, end)).cpu().numpy(),
        write.through or "added to the stream",
        write.exact,
    )


def contexts_of(
    windows: Sequence[Indices], n_contexts: int, *, length: int = 32, seed: int = 0
) -> list[Indices]:
    """Pieces of texts at random places, all of one length where there are enough of them.

    Parameters
    ----------
    windows : sequence of int arrays
    n_contexts, length, seed : int
    """
    generator = np.random.default_rng([seed, 11])
    longest = max((len(one) for one in windows), default=0)
    length = min(length, longest)
    usable = [one for one in windows if len(one) >= max(length, 2)]
    if not usable:
        raise UserError("no text has two tokens to be a context")
    found = []
    for i in generator.integers(len(usable), size=n_contexts):
        start = int(generator.integers(len(usable[i]) - length + 1))
        found.append(usable[i][start : start + length])
    return found


def causal_change(
    model: LanguageModel,
    layer: str,
    direction: Tensor,
    strength: float,
    contexts: Sequence[Indices],
    *,
    before: Tensor | None = None,
) -> Tensor:
    """Mean change of ln p of every token behind a context when a direction is added, (vocabulary,).

    Parameters
    ----------
    model : LanguageModel
        With its language head.
    layer : str
    direction : Tensor of shape (n_units,)
    strength : float
        alpha; such as the 99 % quantile of the unit's or the feature's activation.
    contexts : sequence of int arrays
    before : Tensor of shape (vocabulary,), optional
        :func:`mean_log_probability` of the contexts as they are.
    """
    if before is None:
        before = mean_log_probability(model, contexts)
    return mean_log_probability(model.with_lesions(Steer(layer, direction, strength)), contexts) - before


def mean_log_probability(model: LanguageModel, contexts: Sequence[Indices]) -> Tensor:
    """Mean over contexts of ln p of each token that may follow, (vocabulary,)."""
    total: Tensor | None = None
    n = 0
    for places, ids in token_batches(contexts, model.batch_size, device=model.device):
        part = scored(model, ids)[:, -1].log_softmax(dim=-1).double().sum(dim=0)
        total = part if total is None else total + part
        n += len(places)
    if total is None:
        raise UserError(f"{model.identifier}: no context has two tokens")
    return total / n


@dataclass(frozen=True)
class Causal:
    """What is read off a direction beside what it causes.

    Attributes
    ----------
    strength : array of shape (n,)
    spearman : array of shape (n,)
        Between the direct effect on each token and the mean change of its log probability.
    spearman_other : array of shape (n,)
        The same with the direct effect of the next direction: what they share whatever the direction.
    spearman_random : array of shape (n_random,)
        Of random directions, as long as what the others add.
    found : array of shape (n,)
        Share of the direct top tokens that are among as many top tokens of the change.
    """

    strength: Floats
    spearman: Floats
    spearman_other: Floats
    spearman_random: Floats
    found: Floats


def causal_check(
    model: LanguageModel,
    write: Write,
    end: Unembedding,
    directions: Tensor,
    strengths: Sequence[float],
    contexts: Sequence[Indices],
    *,
    n_tokens: int = 20,
    n_random: int = 5,
    seed: int = 0,
) -> Causal:
    """Add each direction while the network runs, and compare with what was read off.

    Parameters
    ----------
    model : LanguageModel
        With its language head.
    write, end
    directions : Tensor of shape (n, n_units)
    strengths : sequence of float
    contexts : sequence of int arrays
        As :func:`contexts_of` gives them.
    n_tokens, n_random, seed : int
    """
    from scipy.stats import spearmanr

    before = mean_log_probability(model, contexts)
    length = float(np.median([abs(s) * float(d.norm()) for s, d in zip(strengths, directions, strict=True)]))
    random = torch.randn(n_random, directions.shape[1], generator=torch.Generator().manual_seed(seed))
    random = random / random.norm(dim=1, keepdim=True)
    effects = logit_vectors(torch.cat([directions, random]), write, end).double().cpu().numpy()
    pushes = [*strengths, *([length] * n_random)]
    changes = [
        causal_change(model, write.layer, one.cpu(), push, contexts, before=before).cpu().numpy()
        for one, push in zip(torch.cat([directions, random]), pushes, strict=True)
    ]
    n = len(directions)
    signs = np.sign(np.asarray(strengths, np.float64))
    own = [s * float(spearmanr(effects[i], changes[i])[0]) for i, s in enumerate(signs)]
    other = [s * float(spearmanr(effects[(i + 1) % n], changes[i])[0]) for i, s in enumerate(signs)]
    at_random = [float(spearmanr(effects[i], changes[i])[0]) for i in range(n, n + n_random)]
    tops = [
        np.isin(np.argsort(-s * effects[i])[:n_tokens], np.argsort(-changes[i])[:n_tokens]).mean()
        for i, s in enumerate(signs)
    ]
    return Causal(
        np.asarray(strengths, np.float64), np.array(own), np.array(other), np.array(at_random), np.array(tops)
    )
