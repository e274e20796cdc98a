"""How much each unit or feature matters for what a network predicts: activation x gradient, and ablation beside it.

I_u(x) = mean_t |a_ut dL/da_ut|, L the mean loss of text x. Setting unit u to a baseline b changes L, to first order, by
sum_t (b - a_ut) dL/da_ut, which is exact where L is linear in a; ablation runs the network with the unit at b.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ....errors import UserError
from ....models.extraction.language_model import LanguageModel
from ....models.interventions.splice import Splice, as_rows
from ....progress import track
from ..dictionary import Dictionary
from .passes import Indices, Tap, scored, token_batches, token_loss

Floats = npt.NDArray[np.float64]
Baseline = Literal["zero", "mean"]


@dataclass(frozen=True)
class Attributions:
    """Sums over the rows of each text.

    Attributes
    ----------
    importance : array of shape (n_texts, n_units)
        mean_t |a dL/da|.
    product : array of shape (n_texts, n_units)
        sum_t a dL/da.
    slope : array of shape (n_texts, n_units)
        sum_t dL/da.
    mean : array of shape (n_units,)
        Mean activation over all rows.
    high : array of shape (n_units,)
        The 99 % quantile of the activation over rows, or over a sample of them.
    texts : array of int, shape (n_texts,)
        The windows that the rows are of.
    """

    importance: Floats
    product: Floats
    slope: Floats
    mean: Floats
    high: Floats
    texts: Indices

    def first_order(self, baseline: Baseline | Floats = "zero") -> Floats:
        """Change of each text's loss when each unit is set to a baseline, to first order; (n_texts, n_units).

        Parameters
        ----------
        baseline : {"zero", "mean"} or array of shape (n_units,)
        """
        if isinstance(baseline, str):
            baseline = np.zeros_like(self.mean) if baseline == "zero" else self.mean
        return baseline * self.slope - self.product


def attributions(activations: Tensor, gradients: Tensor) -> dict[str, Tensor]:
    """The sums of texts of one length.

    Parameters
    ----------
    activations, gradients : Tensor of shape (n_texts, n_rows, n_units)

    Returns
    -------
    dict of str to Tensor of shape (n_texts, n_units)
        ``importance``, ``product``, ``slope``.
    """
    product = activations * gradients
    return {
        "importance": product.abs().mean(dim=1),
        "product": product.sum(dim=1),
        "slope": gradients.sum(dim=1),
    }


def attributions_of(
    loss: Callable[[Tensor], Tensor], activations: Tensor, dictionary: Dictionary | None = None
) -> dict[str, Tensor]:
    """The sums for any loss of activations.

    Parameters
    ----------
    loss : callable
        (n_texts, n_rows, n_units) -> (n_texts,), each of its own text alone.
    activations : Tensor of shape (n_texts, n_rows, n_units)
    dictionary : Dictionary, optional
        Features instead of units: dL/df_i = dL/dx . d_i.
    """
    leaf = activations.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(loss(leaf).sum(), leaf)
    return attributions(*_as_features(leaf.detach(), gradients, dictionary))


def gradient_importance(
    model: LanguageModel,
    layer: str,
    windows: Sequence[Indices],
    *,
    dictionary: Dictionary | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Attributions:
    """Activation x gradient of every unit or feature for every text, in one forward and one backward pass each.

    All tokens take part, the first one, too, because ablation sets the unit at all of them.

    Parameters
    ----------
    model : LanguageModel
        With its language head, as :func:`.passes.predicting` gives it.
    layer : str
    windows : sequence of int arrays
        Texts; those of one token are left out.
    dictionary : Dictionary, optional
        Of the layer: features instead of units.
    batch_size : int, optional
    seed : int
        Of the sample of rows behind ``high``.

    Raises
    ------
    UserError
        For a layer without a vector a token, or one that the loss does not depend on.
    """
    kept: dict[str, list[Tensor]] = {"importance": [], "product": [], "slope": []}
    places: list[Indices] = []
    totals: list[Tensor] = []
    sample: list[Tensor] = []
    n_rows = 0
    generator = np.random.default_rng([seed, 17])
    batches = list(token_batches(windows, batch_size or model.batch_size, device=model.device))
    for where, ids in track(batches, f"gradients at {layer}"):
        tap = Tap(layer)
        scores = scored(model.with_lesions(tap), ids, gradients=True)
        if not tap.seen:
            raise UserError(f"layer {layer!r} of {model.identifier} never answered")
        leaf = tap.seen[-1]
        loss = token_loss(scores, ids).mean(dim=1).sum()
        (gradients,) = torch.autograd.grad(loss, leaf, allow_unused=True)
        if gradients is None or leaf.ndim != 3 or leaf.shape[:2] != ids.shape:
            raise UserError(
                f"layer {layer!r} of {model.identifier} gives {tuple(leaf.shape)}, and what is predicted depends on a "
                "vector a token: choose another layer"
            )
        rows, slopes = _as_features(as_rows(leaf.detach()).float(), gradients.float(), dictionary)
        for name, one in attributions(rows, slopes).items():
            kept[name].append(one)
        flat = rows.flatten(0, 1)
        totals.append(flat.double().sum(dim=0))
        n_rows += len(flat)
        some = generator.choice(len(flat), min(len(flat), 256), replace=False)
        sample.append(flat[torch.from_numpy(some).to(flat.device)])
        places.append(where)
    if not places:
        raise UserError(f"{model.identifier}: no text has two tokens, so nothing is predicted")
    order = np.argsort(np.concatenate(places), kind="stable")
    sums = {name: torch.cat(ones).double().cpu().numpy()[order] for name, ones in kept.items()}
    mean = torch.stack(totals).sum(dim=0) / n_rows
    high = np.quantile(torch.cat(sample).cpu().numpy(), 0.99, axis=0)
    return Attributions(
        **sums, mean=mean.cpu().numpy(), high=high.astype(np.float64), texts=np.concatenate(places)[order]
    )  # fmt: skip


def _as_features(rows: Tensor, gradients: Tensor, dictionary: Dictionary | None) -> tuple[Tensor, Tensor]:
    if dictionary is None:
        return rows, gradients
    if getattr(dictionary, "output_mean", None) is not None:
        raise UserError(
            "a transcoder's features are written elsewhere than they are read: they have no gradient here"
        )
    codes = dictionary.encode(rows.flatten(0, 1))
    slopes = gradients.flatten(0, 1) @ dictionary.directions.to(gradients).T
    if codes.stretch is not None:  # each row has a scale of its own
        slopes = slopes * codes.stretch
    shape = (*rows.shape[:2], -1)
    return codes.dense().reshape(shape), slopes.reshape(shape)


@dataclass(frozen=True)
class SetUnit:
    """Rows with one unit at a value."""

    unit: int
    value: float

    def __call__(self, rows: Tensor) -> Tensor:
        """(n_rows, n_units) -> the same shape."""
        changed = rows.clone()
        changed[:, self.unit] = self.value
        return changed


@dataclass(frozen=True)
class SetFeature:
    """Rows with one feature at a value, all else and what the dictionary does not explain as it was."""

    dictionary: Dictionary
    feature: int
    value: float

    def __call__(self, rows: Tensor) -> Tensor:
        """(n_rows, n_units) -> the same shape."""
        codes = self.dictionary.encode(rows)
        change = (self.value - codes.dense()[:, self.feature])[:, None]
        if codes.stretch is not None:
            change = change * codes.stretch
        return rows + change * self.dictionary.directions[self.feature].to(rows)


def text_losses(
    model: LanguageModel, windows: Sequence[Indices], *, batch_size: int | None = None
) -> tuple[Floats, Indices]:
    """The mean loss of every text in nats, and the windows that they are of; those of one token are left out."""
    losses, places = [], []
    for where, ids in token_batches(windows, batch_size or model.batch_size, device=model.device):
        losses.append(token_loss(scored(model, ids), ids).mean(dim=1).double().cpu().numpy())
        places.append(where)
    order = np.argsort(np.concatenate(places), kind="stable")
    return np.concatenate(losses)[order], np.concatenate(places)[order]


def ablation_importance(
    model: LanguageModel,
    layer: str,
    windows: Sequence[Indices],
    units: Sequence[int],
    values: Sequence[float] | Floats,
    *,
    dictionary: Dictionary | None = None,
    batch_size: int | None = None,
) -> Floats:
    """Change of every text's loss when a unit is set to a value, (n_texts, n_units asked for), by running the network.

    Parameters
    ----------
    model : LanguageModel
        With its language head.
    layer : str
    windows : sequence of int arrays
    units : sequence of int
        Or features.
    values : sequence of float
        The baseline of each: 0, or its mean.
    dictionary : Dictionary, optional
    batch_size : int, optional
    """
    whole, _ = text_losses(model, windows, batch_size=batch_size)
    changes = []
    for unit, value in track(list(zip(units, values, strict=True)), f"ablating at {layer}"):
        change = (
            SetUnit(int(unit), float(value))
            if dictionary is None
            else SetFeature(dictionary, int(unit), float(value))
        )
        view = model.with_lesions(Splice(layer, change, f"{unit} at {value:g}"))
        changes.append(text_losses(view, windows, batch_size=batch_size)[0] - whole)
    return np.stack(changes, axis=1)


@dataclass(frozen=True)
class Agreement:
    """Gradients beside the ablation that they stand for, over units.

    Attributes
    ----------
    units : array of int, shape (n_units,)
    first_order, ablated : array of shape (n_units,)
        Mean change of the loss over texts.
    pearson, spearman : float
    """

    units: Indices
    first_order: Floats
    ablated: Floats
    pearson: float
    spearman: float


def agreement(units: Sequence[int] | Indices, first_order: Floats, ablated: Floats) -> Agreement:
    """Compare mean changes over texts.

    Parameters
    ----------
    units : sequence of int
    first_order, ablated : array of shape (n_texts, n_units)
        The texts of the two need not be the same: gradients may be of one half and ablations of the other.
    """
    from scipy.stats import pearsonr, spearmanr

    said, done = first_order.mean(axis=0), ablated.mean(axis=0)
    if len(said) < 3 or np.ptp(said) == 0 or np.ptp(done) == 0:
        return Agreement(np.asarray(units, np.intp), said, done, float("nan"), float("nan"))
    return Agreement(
        np.asarray(units, np.intp), said, done, float(pearsonr(said, done)[0]), float(spearmanr(said, done)[0])
    )  # fmt: skip
