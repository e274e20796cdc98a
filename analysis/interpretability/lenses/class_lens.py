"""What a network that names pictures would already call them after a layer.

Where a layer has as many channels as the classifier reads, its map is pooled over places and put through the
classifier; elsewhere a ridge translator, trained on other pictures, takes the pooled map to what the classifier reads.
A translator can find what the network itself does not use, so each stands beside one that was trained on the same
pictures with their targets shuffled.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn

from ....errors import UserError
from ....models.extraction.hooks import record, run
from ....models.extraction.vision_model import VisionModel
from .logit_lens import entropy, kl_to_final
from .unembedding import matrix_of, same

if TYPE_CHECKING:
    from ....brain_data.stimulus_set import StimulusSet

Floats = npt.NDArray[np.float64]
How = Literal["head", "translator"]
_PENALTIES = 10.0 ** np.arange(-4, 5)


@dataclass(frozen=True)
class Pooled:
    """A network's layers pooled over places, what its classifier reads, and its scores, for some pictures.

    Attributes
    ----------
    layers : dict of str to array of shape (n_pictures, n_channels)
    read : array of shape (n_pictures, width)
        What the classifier is given.
    scores : array of shape (n_pictures, n_classes)
    matrix : array of shape (n_classes, width)
    offset : array of shape (n_classes,)
        scores = read @ matrix.T + offset.
    """

    layers: dict[str, Floats]
    read: Floats
    scores: Floats
    matrix: Floats
    offset: Floats

    def taken(self, rows: npt.ArrayLike) -> "Pooled":
        """Some of the pictures."""
        places = np.asarray(rows, np.intp)
        layers = {name: one[places] for name, one in self.layers.items()}
        return Pooled(layers, self.read[places], self.scores[places], self.matrix, self.offset)


def pooled_layers(model: VisionModel, stimuli: "StimulusSet", layers: Sequence[str] | None = None) -> Pooled:
    """Run a network and keep the mean over places of its layers.

    Parameters
    ----------
    model : VisionModel
        Whose last linear map gives its answer.
    stimuli : StimulusSet
    layers : sequence of str, optional
        The model's by default.

    Raises
    ------
    UserError
        For a network whose answer is not what a linear map gives.
    """
    names = list(layers or model.layers)
    head = classifier_of(model)
    matrix = matrix_of(model.module.get_submodule(head))
    kept: dict[str, list[Tensor]] = {name: [] for name in (*names, f"{head}#in", head)}
    order = []
    for rows, batch in model._batches(stimuli, "none"):
        found = record(
            model.module, list(kept), partial(model._forward, batch), copied=kept, interventions=model.lesions
        ).tensors
        for name, values in kept.items():
            if name not in found:
                raise UserError(f"layer {name!r} of {model.identifier} never answered")
            values.append(_pooled(found[name].float()).cpu())
        order.append(rows)
    back = np.argsort(np.concatenate(order), kind="stable")
    arrays = {name: torch.cat(values).double().numpy()[back] for name, values in kept.items()}
    scores, read = arrays.pop(head), arrays.pop(f"{head}#in")
    weights = matrix.double().cpu().numpy()
    return Pooled(arrays, read, scores, weights, (scores - read @ weights.T).mean(axis=0))


def classifier_of(model: VisionModel) -> str:
    """The last linear map, whose output is what the network answers.

    Parameters
    ----------
    model : VisionModel
    """
    last: list[tuple[str, Tensor]] = []

    def note(name: str) -> Any:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                last.append((name, output))

        return keep

    linear = {name: one for name, one in model.module.named_modules() if isinstance(one, nn.Linear)}
    handles = [one.register_forward_hook(note(name)) for name, one in linear.items()]
    try:
        output = run(model.module, lambda: model._forward(model._probe()), model.lesions)
    finally:
        for handle in handles:
            handle.remove()
    scores = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    found = next(
        (name for name, one in reversed(last) if isinstance(scores, Tensor) and same(one, scores)), None
    )
    if found is None:
        raise UserError(
            f"{model.identifier}: what it answers is not what a linear map gives: it has no classifier to look through"
        )
    return found


@dataclass(frozen=True)
class Translator:
    """A ridge map from a pooled layer to what the classifier reads, z -> (z - m) B + t.

    Attributes
    ----------
    mean : array of shape (n_channels,)
    weights : array of shape (n_channels, width)
    target : array of shape (width,)
    penalty : float
    """

    mean: Floats
    weights: Floats
    target: Floats
    penalty: float

    def __call__(self, values: Floats) -> Floats:
        """(n_pictures, n_channels) -> (n_pictures, width)."""
        out: Floats = (values - self.mean) @ self.weights + self.target
        return out


def ridge_translator(values: npt.ArrayLike, targets: npt.ArrayLike) -> Translator:
    """The ridge map whose leave-one-out error is least over penalties of 1e-4 to 1e4 times the mean variance.

    Parameters
    ----------
    values : array of shape (n_pictures, n_channels)
    targets : array of shape (n_pictures, width)
    """
    x, y = np.asarray(values, np.float64), np.asarray(targets, np.float64)
    if len(x) != len(y) or len(x) < 3:
        raise UserError(
            f"a translator needs at least 3 pictures with their targets, not {len(x)} and {len(y)}"
        )
    mean, target = x.mean(axis=0), y.mean(axis=0)
    u, s, vt = np.linalg.svd(x - mean, full_matrices=False)
    projected = u.T @ (y - target)
    unit = max(float((s**2).mean()), 1e-12)
    best: tuple[float, float, Floats] | None = None
    for penalty in _PENALTIES * unit:
        shrink = s**2 / (s**2 + penalty)
        leverage = (u**2) @ shrink + 1 / len(x)
        residual = (y - target - u @ (shrink[:, None] * projected)) / np.maximum(1 - leverage, 1e-9)[:, None]
        error = float((residual**2).mean())
        if best is None or error < best[0]:
            best = error, float(penalty), vt.T @ ((s / (s**2 + penalty))[:, None] * projected)
    assert best is not None
    return Translator(mean, best[2], target, best[1])


def class_scores(training: Pooled, name: str) -> Callable[[Floats], Floats]:
    """What a pooled layer would give the classes: through the classifier where widths agree, else a translator too.

    Parameters
    ----------
    training : Pooled
        The pictures that a translator learns from.
    name : str
        The layer.

    Returns
    -------
    callable
        (n, n_channels) -> (n, n_classes), affine.
    """
    known = training.layers[name]
    read = (
        (lambda values: values)
        if known.shape[1] == training.read.shape[1]
        else ridge_translator(known, training.read)
    )
    return lambda values: read(values) @ training.matrix.T + training.offset


def class_lens(
    training: Pooled,
    held_out: Pooled,
    *,
    labels: npt.ArrayLike | None = None,
    translate: bool | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """The lens at each layer for held-out pictures.

    Parameters
    ----------
    training, held_out : Pooled
        Of the same network, for different pictures.
    labels : array of int, shape (n_held_out,), optional
        The true classes, in the network's numbering.
    translate : bool, optional
        A translator for every layer, or for none (where widths differ there is no row then); by default where widths
        differ.
    seed : int
        Of the shuffle behind the control.

    Returns
    -------
    DataFrame
        A row a layer: ``how`` (head or translator), ``kl`` (final || lens, nats), ``agreement`` (the same best class),
        ``entropy``, with labels ``accuracy`` and ``ce``; of the same kind with targets shuffled over training pictures
        ``kl_shuffled`` and ``agreement_shuffled``; ``penalty`` of the translator.
    """
    generator = np.random.default_rng([seed, 37])
    width = held_out.read.shape[1]
    rows: dict[str, Mapping[str, Any]] = {}
    for name, values in held_out.layers.items():
        fits = values.shape[1] == width
        if translate is False and not fits:
            continue
        how: How = "head" if fits and not translate else "translator"
        order = generator.permutation(len(training.read))
        if how == "head":
            read, control, penalty = values, values[generator.permutation(len(values))], float("nan")
        else:
            known = training.layers[name]
            made = ridge_translator(known, training.read)
            read, penalty = made(values), made.penalty
            control = ridge_translator(known, training.read[order])(values)
        shuffled = _measured(held_out, control, None)
        rows[name] = {
            "how": how,
            **_measured(held_out, read, labels),
            "kl_shuffled": shuffled["kl"],
            "agreement_shuffled": shuffled["agreement"],
            "penalty": penalty,
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "layer"
    table.attrs |= {"n_training": len(training.read), "n_held_out": len(held_out.read)}
    return table


def _measured(held_out: Pooled, read: Floats, labels: npt.ArrayLike | None) -> dict[str, float]:
    final = torch.from_numpy(held_out.scores)
    lens = torch.from_numpy(read @ held_out.matrix.T + held_out.offset)
    best = lens.argmax(dim=1)
    found = {
        "kl": float(kl_to_final(final, lens).mean()),
        "agreement": float((best == final.argmax(dim=1)).double().mean()),
        "entropy": float(entropy(lens).mean()),
    }
    if labels is not None:
        true = torch.from_numpy(np.asarray(labels, np.int64))
        found["accuracy"] = float((best == true).double().mean())
        found["ce"] = float((lens.logsumexp(dim=1) - lens.gather(1, true[:, None])[:, 0]).mean())
    return found


def _pooled(output: Tensor) -> Tensor:
    """The mean over places of a map (batch, channels, rows, columns) or of tokens (batch, tokens, units)."""
    if output.ndim == 4:
        return output.mean(dim=(2, 3))
    return output.mean(dim=1) if output.ndim == 3 else output.flatten(1)
