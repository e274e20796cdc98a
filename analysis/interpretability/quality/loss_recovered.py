"""What a network loses where a dictionary's reconstruction stands in for a layer, against silencing the layer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ....errors import UserError
from ....files import digest_of
from ....models.extraction.language_model import LanguageModel
from ....models.extraction.rows import TokenWindows, token_losses
from ....models.extraction.torch_model import Network
from ....models.interventions.splice import Splice, zeroed
from ...statistics.resampling import bootstrap_weights, percentile_interval
from ..dictionary import Dictionary

FAINT = 0.2
"""Nats that silencing a layer must cost for the ratio to mean something."""
_DRAWS = 1000
N = TypeVar("N", bound=Network)


@dataclass(frozen=True)
class LossRecovered:
    """Cross-entropy of the next token, nats, over the same tokens.

    Attributes
    ----------
    clean, spliced, zero, mean : float
        As the network is; with the layer's rows made by the dictionary at every token; with all units at 0; with all
        at their mean.
    recovered, recovered_from_mean : float
        (zero - spliced) / (zero - clean), and the same from the mean.
    interval : (float, float)
        95 % of `recovered`, over documents drawn anew; NaN for a single document.
    said : str
        Why the ratio means little, where it does.
    n_tokens, n_documents : int
    losses : dict of str to array of shape (n_tokens,)
        Of each of the four.
    """

    clean: float
    spliced: float
    zero: float
    mean: float
    recovered: float
    recovered_from_mean: float
    interval: tuple[float, float]
    said: str
    n_tokens: int
    n_documents: int
    losses: dict[str, npt.NDArray[np.float64]] = field(repr=False)


def spliced(model: N, layer: str, dictionary: Dictionary) -> N:
    """The model with what a dictionary makes of a layer in the layer's place.

    Parameters
    ----------
    model : Network
    layer : str
    dictionary : Dictionary
    """
    return model.with_lesions(Splice(layer, dictionary.reconstruct, "dictionary", dictionary.digest))


def held_at(model: N, layer: str, row: Tensor) -> N:
    """The model with every row of a layer at the same values.

    Parameters
    ----------
    model : Network
    layer : str
    row : Tensor of shape (n_units,)
    """
    values = row.float()
    name = digest_of("row", values.numpy().tobytes())
    return model.with_lesions(Splice(layer, lambda rows: values.to(rows).expand_as(rows), "mean", name))


def loss_recovered(
    model: LanguageModel,
    layer: str,
    dictionary: Dictionary,
    windows: TokenWindows,
    mean: Tensor,
    *,
    random_state: int = 0,
) -> LossRecovered:
    """How much of a layer's part in predicting the next token a dictionary keeps.

    Parameters
    ----------
    model : LanguageModel
        One that predicts.
    layer : str
    dictionary : Dictionary
    windows : TokenWindows
        Held-out ones.
    mean : Tensor of shape (n_units,)
        Of the layer's rows.
    random_state : int

    Raises
    ------
    UserError
        For a network that predicts no token; windows without a second token.
    """
    if not any(len(ids) > 1 for ids in windows.ids):
        raise UserError("no window has a second token, whose prediction would be scored")
    which = {
        "clean": model,
        "spliced": spliced(model, layer, dictionary),
        "zero": model.with_lesions(zeroed(layer)),
        "mean": held_at(model, layer, mean),
    }
    losses = {name: token_losses(one, windows) for name, one in which.items()}
    owners = np.concatenate([owner[1:] for owner in windows.document])
    sums, n_documents = _by_document(losses, owners)
    total = {name: float(values.mean()) for name, values in losses.items()}
    return LossRecovered(
        **total,
        recovered=_ratio(total["zero"], total["spliced"], total["clean"]),
        recovered_from_mean=_ratio(total["mean"], total["spliced"], total["clean"]),
        interval=_interval(sums, n_documents, random_state),
        said=_caution(total),
        n_tokens=len(owners),
        n_documents=n_documents,
        losses=losses,
    )


def _by_document(
    losses: dict[str, npt.NDArray[np.float64]], owners: npt.NDArray[np.intp]
) -> tuple[dict[str, npt.NDArray[np.float64]], int]:
    owner = np.unique(owners, return_inverse=True)[1]
    n_documents = int(owner.max()) + 1
    sums = {
        name: np.asarray(np.bincount(owner, values, n_documents), np.float64)
        for name, values in losses.items()
    }
    return sums, n_documents


def _interval(
    sums: dict[str, npt.NDArray[np.float64]], n_documents: int, random_state: int
) -> tuple[float, float]:
    if n_documents < 2:
        return float("nan"), float("nan")
    weights = bootstrap_weights(n_documents, _DRAWS, random_state=random_state)
    drawn = {name: weights @ values for name, values in sums.items()}
    with np.errstate(invalid="ignore", divide="ignore"):
        return percentile_interval((drawn["zero"] - drawn["spliced"]) / (drawn["zero"] - drawn["clean"]))


def _ratio(without: float, made: float, clean: float) -> float:
    return (without - made) / (without - clean) if without != clean else float("nan")


def _caution(total: dict[str, float]) -> str:
    cost = total["zero"] - total["clean"]
    if cost >= FAINT:
        return ""
    return (
        f"silencing the layer costs {cost:.3f} nats, less than {FAINT}: what share is recovered means little"
    )


@dataclass(frozen=True)
class TaskRecovered:
    """A task's score, such as accuracy or correlation with a region, as the network is and with a layer replaced.

    Attributes
    ----------
    clean, spliced, zero, mean : float
    recovered, recovered_from_mean : float
        (spliced - zero) / (clean - zero), and the same from the mean.
    """

    clean: float
    spliced: float
    zero: float
    mean: float
    recovered: float
    recovered_from_mean: float


def task_recovered(
    model: N, layer: str, dictionary: Dictionary, task: Callable[[N], float], mean: Tensor
) -> TaskRecovered:
    """How much of a layer's part in a task a dictionary keeps.

    Parameters
    ----------
    model : Network
    layer : str
    dictionary : Dictionary
    task : callable
        A model -> its score, higher is better.
    mean : Tensor of shape (n_units,)
        Of the layer's rows.
    """
    total = {
        "clean": float(task(model)),
        "spliced": float(task(spliced(model, layer, dictionary))),
        "zero": float(task(model.with_lesions(zeroed(layer)))),
        "mean": float(task(held_at(model, layer, mean))),
    }
    return TaskRecovered(
        **total,
        recovered=_ratio(total["zero"], total["spliced"], total["clean"]),
        recovered_from_mean=_ratio(total["mean"], total["spliced"], total["clean"]),
    )


def accuracy(labels: npt.ArrayLike, scores: Tensor | npt.ArrayLike) -> float:
    """Share of pictures whose highest score is that of their label.

    Parameters
    ----------
    labels : int array of shape (n_pictures,)
    scores : array of shape (n_pictures, n_classes)
    """
    said = torch.as_tensor(scores).argmax(dim=1).numpy()
    return float((said == np.asarray(labels)).mean())
