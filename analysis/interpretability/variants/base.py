"""The registry of kinds of dictionaries: how each turns the encoder's answer into a code, and how it is learnt."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from ....registry import Registry
from ..codes import Codes, Weights
from ..sparse_products.products import Places, choose, decode, with_gradient


@dataclass
class Batch:
    """Rows to learn from, and what is being learnt.

    Attributes
    ----------
    x : Tensor of shape (n, d)
        Scaled rows.
    target : Tensor of shape (n, d_out)
        What is to be made of them: `x` itself, or the scaled rows of another place for a transcoder.
    weights : Weights
        Leaves that take gradients.
    active : int
        How many features of a row are wanted.
    done : float
        Share of the training that is behind, 0 to 1.
    product : torch.dtype
        Of the encoder's product: bfloat16 or float32.
    state : dict of str to float
        What a variant keeps from one batch to the next; it lies in the checkpoint.
    """

    x: Tensor
    target: Tensor
    weights: Weights
    active: int
    done: float = 1.0
    product: torch.dtype = torch.float32
    state: dict[str, float] = field(default_factory=dict)

    @property
    def centred(self) -> Tensor:
        """X - b, without gradient."""
        return self.x - self.weights.bias.detach()

    @property
    def put_back(self) -> Tensor:
        """The bias behind the decoder."""
        return self.weights.extra.get("output_bias", self.weights.bias)

    def error(self, made: Tensor) -> Tensor:
        """Fraction of variance unexplained: ``mean ||y - y^||^2 / mean ||y - batch mean||^2``."""
        return (self.target - made).square().sum() / self.spread

    @property
    def spread(self) -> Tensor:
        """``sum ||y - batch mean||^2``."""
        return self.target.var(0, correction=0).sum() * len(self.target)


@dataclass(frozen=True)
class Outcome:
    """What one batch gave.

    Attributes
    ----------
    loss : Tensor
        To descend on.
    made : Tensor of shape (n, d_out)
        The reconstruction, scaled.
    fired : integer Tensor
        Features with a positive activation, repeated or not.
    n_active : float
        Mean number of active features of a row.
    """

    loss: Tensor
    made: Tensor
    fired: Tensor
    n_active: float


class Learning:
    """How a variant is learnt; a variant overrides what differs.

    Attributes
    ----------
    unit_norm : bool
        Whether the decoder's rows are kept at norm 1.
    revives : bool
        Whether dead features are trained on the error that the living leave (AuxK).
    resamples : bool
        Whether dead features are set anew on badly explained rows.
    fixed : tuple of str
        Weights that stay as they began.
    transcodes : bool
        Whether what is made is another place's rows.
    sparse : bool
        Whether a batch is learnt without all features of all rows in memory.
    """

    unit_norm = True
    revives = True
    resamples = False
    fixed: tuple[str, ...] = ()
    transcodes = False
    sparse = True

    def begin(self, weights: Weights, generator: torch.Generator) -> Weights:
        """Weights with what this variant has beside."""
        del generator
        return weights

    def run(self, batch: Batch) -> Outcome:
        """Loss and reconstruction of a batch."""
        raise NotImplementedError

    def finished(self, weights: Weights, state: dict[str, float]) -> Weights:
        """Weights as they are kept, without gradients."""
        del state
        return weights


@dataclass(frozen=True)
class Variant:
    """A kind of dictionary.

    Attributes
    ----------
    name : str
    sentence : str
        What it is, for methods and lists.
    codes : callable
        (pre, weights) -> Codes at inference, where pre = E (x - b) + b_e, (n_rows, n_features). A row's code does not
        depend on the rows beside it.
    learning : Learning
    """

    name: str
    sentence: str
    codes: Callable[[Tensor, Weights], Codes]
    learning: Learning


VARIANTS: Registry[Variant] = Registry("kind of dictionary", __package__, "brodmann.variants")
F = TypeVar("F", bound=Callable[[Tensor, Weights], Codes])


def variant(name: str, sentence: str, learning: Learning) -> Callable[[F], F]:
    """A decorator that registers the inference of a variant.

    Parameters
    ----------
    name, sentence : str
    learning : Learning
    """
    return VARIANTS.registering(name, lambda codes: Variant(name, sentence, codes, learning))  # type: ignore[arg-type]


def largest_of_rows(batch: Batch, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The k largest pre-activations of each row, their features, and x - b; without gradient."""
    weights, centred = batch.weights, batch.centred
    values, indices = choose(
        centred.to(batch.product),
        weights.encoder.detach().to(batch.product),
        weights.encoder_bias.detach().to(batch.product),
        k,
    )
    return values, indices, centred


def active_values(batch: Batch, values: Tensor, centred: Tensor, places: Places) -> Tensor:
    """ReLU of chosen pre-activations, with their gradient."""
    weights = batch.weights
    answers = with_gradient(values, centred, weights.bias, weights.encoder, weights.encoder_bias, places)
    return answers.relu()


def decoded(batch: Batch, values: Tensor, places: Places) -> Tensor:
    """The reconstruction from active features."""
    return decode(values, batch.weights.decoder, places) + batch.put_back
