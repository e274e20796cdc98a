"""What a dictionary is worth, and whether another has the same features: every number beside what chance gives."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ....errors import UserError
from ....models.sheet import Sheet
from ..dictionary import Dictionary
from .activation_matching import ActivationMatch, match_activations
from .controls import row_mean, untrained
from .firing import Density, codes_of_rows, density
from .loss_recovered import LossRecovered
from .matching import DirectionMatch, direction_floors, match_directions, verdict
from .reconstruction import reconstruction
from .splitting import splitting


@dataclass(frozen=True)
class HeldOut:
    """Rows that a dictionary did not learn from.

    Attributes
    ----------
    rows : Tensor of shape (n_rows, n_units)
        The layer's own.
    documents : int array of shape (n_rows,)
        The text or picture of each.
    """

    rows: Tensor = field(repr=False)
    documents: npt.NDArray[np.intp] = field(repr=False)

    def __post_init__(self) -> None:
        """Check that there is a document a row."""
        if self.rows.ndim != 2 or len(self.documents) != len(self.rows):
            raise UserError(
                f"held-out rows are {tuple(self.rows.shape)}, and {len(self.documents)} documents are named"
            )

    @property
    def mean(self) -> Tensor:
        """Of the rows, (n_units,)."""
        return torch.from_numpy(row_mean(self.rows)).float()


@dataclass(frozen=True)
class Other:
    """What a dictionary is held against.

    Attributes
    ----------
    dictionary : Dictionary
    held_out : HeldOut or None
        Rows of its own model for the same texts or pictures; None where it is of the same layer of the same model.
    sheet : Sheet or None
        Where the units of its layer lie, of another model.
    """

    dictionary: Dictionary
    held_out: HeldOut | None = None
    sheet: Sheet | None = None


def check(
    dictionary: Dictionary,
    held_out: HeldOut,
    *,
    against: Other | None = None,
    loss: LossRecovered | None = None,
    random_state: int = 0,
) -> dict[str, Any]:
    """The quality of a dictionary on held-out rows, and its features beside those of another.

    Parameters
    ----------
    dictionary : Dictionary
    held_out : HeldOut
    against : Other, optional
    loss : LossRecovered, optional
        As of :func:`.loss_recovered.loss_recovered`, on the same texts.
    random_state : int
        Of controls, halves and intervals.

    Returns
    -------
    dict
        Plain values; NaN where a number is not defined.

    Raises
    ------
    UserError
        For rows of another layer, or dictionaries that cannot be compared.
    """
    rows = held_out.rows
    quality = reconstruction(dictionary, rows)
    codes = codes_of_rows(dictionary, rows)
    dense = density(codes)
    k = max(1, round(quality.l0))
    control = untrained(dictionary, k, random_state=random_state + 11)
    report: dict[str, Any] = {
        "dictionary": described(dictionary),
        "n_rows": len(rows),
        "n_documents": len(np.unique(held_out.documents)),
        "reconstruction": asdict(quality),
        "density": _density(dense, dictionary),
        "controls": {"untrained": asdict(reconstruction(control, rows))},
    }
    if loss is not None:
        report["loss"] = {name: value for name, value in vars(loss).items() if name != "losses"}
    if against is not None:
        report["against"] = compared(dictionary, held_out, codes, against, random_state=random_state)
    return report


def described(dictionary: Dictionary) -> dict[str, Any]:
    """What a dictionary is of, in plain values.

    Parameters
    ----------
    dictionary : Dictionary
    """
    return {
        "variant": dictionary.variant,
        "n_features": dictionary.n_features,
        "n_units": dictionary.n_units,
        "k": dictionary.weights.k,
        "rows_seen": rows_seen(dictionary),
        "digest": dictionary.digest,
        **vars(dictionary.site),
    }


def rows_seen(dictionary: Dictionary) -> int | None:
    """How many training rows a dictionary has seen; None where it does not say.

    Parameters
    ----------
    dictionary : Dictionary
    """
    rows = dictionary.facts.get("rows")
    seen = rows.get("seen") if isinstance(rows, Mapping) else None
    return seen if isinstance(seen, int) else None


def _density(found: Density, dictionary: Dictionary) -> dict[str, Any]:
    return {
        "dead": found.dead,
        "rare": found.rare,
        "dense": found.dense,
        "effective_features": found.effective,
        "superposition": found.effective / dictionary.n_units,
        "counts": found.counts.tolist(),
        "edges": found.edges.tolist(),
        "n_rows": found.n_rows,
    }


def compared(
    dictionary: Dictionary, held_out: HeldOut, codes: Any, against: Other, *, random_state: int
) -> dict[str, Any]:
    """Features beside those of another dictionary, with every floor.

    Directions are compared where both are of the same layer of the same model; answers to the same rows always.

    Parameters
    ----------
    dictionary : Dictionary
    held_out : HeldOut
    codes : sparse matrix of shape (n_rows, n_features)
        Of these rows.
    against : Other
    random_state : int
    """
    other, theirs = against.dictionary, against.held_out or held_out
    if len(theirs.rows) != len(held_out.rows):
        raise UserError(
            f"{len(held_out.rows)} rows of one model and {len(theirs.rows)} of the other: they must be of the same "
            "tokens or places"
        )
    report: dict[str, Any] = {"dictionary": described(other)}
    their_codes = codes_of_rows(other, theirs.rows)
    if against.held_out is None:
        report["directions"] = _directions(dictionary, other, held_out, codes, their_codes, random_state)
        if other.n_features != dictionary.n_features:
            report["splitting"] = _splitting(dictionary, other, codes, their_codes)
    report["activations"] = _activations(held_out, theirs, codes, their_codes, against, random_state)
    return report


def _directions(
    a: Dictionary, b: Dictionary, held_out: HeldOut, codes: Any, their_codes: Any, random_state: int
) -> dict[str, Any]:
    if a.weights.decoder.shape[1] != b.weights.decoder.shape[1]:
        raise UserError("the two dictionaries write into layers of different widths")
    left, right = (
        one.directions.numpy()[np.asarray((table > 0).sum(axis=0)).ravel() > 0]
        for one, table in ((a, codes), (b, their_codes))
    )
    if not len(left) or not len(right):
        raise UserError("a dictionary of which no feature is ever active has nothing to match")
    found = match_directions(left, right, random_state=random_state)
    report: dict[str, Any] = {"found": _match(found)}
    if left.shape[1] == held_out.rows.shape[1]:
        floors = direction_floors(left, len(right), held_out.rows, random_state=random_state + 21)
        report["floors"] = {name: _match(one) for name, one in floors.items()}
        seen = [rows_seen(a), rows_seen(b)]
        least = None if None in seen else min(one for one in seen if one is not None)
        said, why = verdict(found.mmcs, floors["covariance_matched"].mmcs, least)
        report |= {"verdict": said, "why": why}
    return report


def _match(found: DirectionMatch) -> dict[str, Any]:
    return {
        "mmcs": found.mmcs,
        "interval_over_features": list(found.interval),
        "above": {str(level): share for level, share in found.above.items()},
        "hungarian": found.assigned,
        "n_a": found.n_a,
        "n_b": found.n_b,
    }


def _splitting(a: Dictionary, b: Dictionary, codes: Any, their_codes: Any) -> dict[str, Any]:
    (small, few), (large, many) = sorted(((a, codes), (b, their_codes)), key=lambda pair: pair[0].n_features)
    found = splitting(small.directions.numpy(), large.directions.numpy(), few, many)
    parts = {str(one): list(into) for one, into in found.parts.items()}
    return {**asdict(found), "parts": parts}


def _activations(
    ours: HeldOut, theirs: HeldOut, codes: Any, their_codes: Any, against: Other, random_state: int
) -> dict[str, Any]:
    owners = ours.documents
    other = against.dictionary
    active = max(1, round(their_codes.nnz / their_codes.shape[0]))
    control = untrained(other, active, random_state=random_state + 31)
    order = np.random.default_rng([random_state, 41]).permutation(len(owners))
    pairs = {
        "features_to_features": (codes, their_codes),
        "features_to_untrained": (codes, codes_of_rows(control, theirs.rows)),
        "features_to_shuffled_rows": (codes, their_codes[order]),
        "units_to_features": (ours.rows.numpy(), their_codes),
        "features_to_units": (codes, theirs.rows.numpy()),
    }
    if against.held_out is not None:
        pairs["units_to_units"] = (ours.rows.numpy(), theirs.rows.numpy())
    return {
        name: _answers(match_activations(a, b, owners, random_state=random_state))
        for name, (a, b) in pairs.items()
    }


def _answers(found: ActivationMatch) -> dict[str, Any]:
    return {
        "median": found.median,
        "mean": found.mean,
        "above": {str(level): share for level, share in found.above.items()},
        "held_out_median": found.held_out_median,
        "interval_over_documents": list(found.interval),
        "n": int(np.isfinite(found.best).sum()),
    }
