"""What a layer was shown, as descriptions read it, and its three parts: one describes, one chooses, one scores."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ....errors import UserError

Indices = npt.NDArray[np.intp]
_SHARES = (0.5, 0.2, 0.3)
"""Of the rows: to describe by, to choose the family by, to score by."""


@dataclass(frozen=True)
class Reading:
    """Texts that a layer read.

    Attributes
    ----------
    tokens, window, document : int arrays of shape (n_tokens,)
        Of all tokens in their order: the id, and the window and text that each is of.
    position : int array of shape (n_rows,)
        The token that each row of activations is of.
    texts : mapping of int to str
        What each id stands for, with the space that some begin with.
    """

    tokens: Indices
    window: Indices
    document: Indices
    position: Indices
    texts: Mapping[int, str] = field(repr=False)

    def __post_init__(self) -> None:
        """Check lengths."""
        n = {len(one) for one in (self.tokens, self.window, self.document)}
        if len(n) != 1:
            raise UserError("a reading has one id, one window and one document a token")
        if len(self.position) and not (self.position.min() >= 0 and self.position.max() < len(self.tokens)):
            raise UserError(f"rows are of tokens that are not among the {len(self.tokens)} that were read")

    def __len__(self) -> int:
        return len(self.position)

    @cached_property
    def groups(self) -> Indices:
        """The document of each row."""
        return self.document[self.position]

    @cached_property
    def kinds(self) -> tuple[Indices, Indices]:
        """The ids that occur, in order, and for every token its place among them."""
        ids, numbers = np.unique(self.tokens, return_inverse=True)
        return ids, numbers

    @cached_property
    def names(self) -> list[str]:
        """The text of each kind."""
        return [self.texts.get(int(one), f"<{one}>") for one in self.kinds[0]]

    def beside(self, offset: int) -> Indices:
        """The kind of the token so many places from each row's, -1 outside its window.

        Parameters
        ----------
        offset : int
        """
        at = self.position + offset
        inside = (at >= 0) & (at < len(self.tokens))
        at = np.where(inside, at, 0)
        inside &= self.window[at] == self.window[self.position]
        return np.where(inside, self.kinds[1][at], -1)


@dataclass(frozen=True)
class Seen:
    """Pictures that a layer looked at; a row is a picture.

    Attributes
    ----------
    labels : mapping of str to sequence of str
        What is known of the pictures, such as their category or whether they are bright: a label a picture, empty where
        it has none.
    """

    labels: Mapping[str, npt.NDArray[np.str_]]

    def __post_init__(self) -> None:
        """Check lengths."""
        if len({len(one) for one in self.labels.values()}) != 1:
            raise UserError("pictures are described by labels, each of all pictures: there are none that fit")

    def __len__(self) -> int:
        return len(next(iter(self.labels.values())))

    @cached_property
    def groups(self) -> Indices:
        """Each picture is a document of its own."""
        return np.arange(len(self))


Shown = Reading | Seen


@dataclass(frozen=True)
class Parts:
    """Rows of three sets of documents that share none.

    Attributes
    ----------
    describes, chooses, scores : int arrays
    """

    describes: Indices
    chooses: Indices
    scores: Indices


def parts_of(groups: Indices, *, random_state: int) -> Parts:
    """Deal documents out, the longest first, each to the part that lacks most of its share.

    Parameters
    ----------
    groups : int array of shape (n_rows,)
        The document of each row.
    random_state : int
        Order of documents of one length.

    Raises
    ------
    UserError
        For fewer than three documents.
    """
    documents, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(documents) < len(_SHARES):
        raise UserError(
            f"descriptions are made, chosen and scored on texts of their own: give at least 3, not {len(documents)}, "
            "of those that are held out and looked at"
        )
    drawn = np.random.default_rng([random_state, 21]).permutation(len(documents))
    order = drawn[np.argsort(-sizes[drawn], kind="stable")]
    share, held, owner = np.array(_SHARES), np.zeros(len(_SHARES)), np.empty(len(documents), np.intp)
    for turn, one in enumerate(order):
        left = share * len(groups) - held
        part = int(left.argmax()) if len(order) - turn > (held == 0).sum() else int((held == 0).argmax())
        owner[one] = part
        held[part] += sizes[one]
    return Parts(*(np.flatnonzero(owner[number] == part) for part in range(len(_SHARES))))
