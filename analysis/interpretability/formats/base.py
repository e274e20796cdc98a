"""What a layout of dictionaries is, the registry of those that there are, and reading any of them."""

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

import numpy.typing as npt
import torch
from torch import Tensor

from ....errors import UserError
from ....registry import Registry
from ..codes import Weights
from ..dictionary import Dictionary, Site
from ..quality.reconstruction import reconstruction

Number = Literal["float32", "float16", "bfloat16"]
_OURS = "features.json"
_TRIED = 2000
"""Rows that a dictionary is tried on."""


class DictionaryFormat(ABC):
    """A layout in which others keep dictionaries.

    Attributes
    ----------
    name : str
    sentence : str
        What lies where.
    """

    name: ClassVar[str]
    sentence: ClassVar[str]

    @abstractmethod
    def recognizes(self, path: Path) -> bool:
        """Whether a file or folder is of this layout, by the names of its files."""

    @abstractmethod
    def read(self, path: Path, scale: float | None) -> Dictionary:
        """The dictionary of a file or folder, that takes and gives the layer's own rows.

        Parameters
        ----------
        path : Path
        scale : float or None
            Mean norm of rows over the root of their units, for files that should hold it and do not.

        Raises
        ------
        UserError
            For files that are damaged, not of this layout, or of a kind that has no counterpart here.
        """

    def write(self, dictionary: Dictionary, folder: Path, number: Number = "float32") -> Path:
        """Write a dictionary in this layout, so that its own library gives the same codes.

        Parameters
        ----------
        dictionary : Dictionary
        folder : Path
            Appears whole.
        number : {"float32", "float16", "bfloat16"}

        Raises
        ------
        UserError
            For a dictionary that the layout cannot say.
        """
        del dictionary, folder, number
        raise UserError(f"dictionaries are read from the layout of {self.name}, not written: {_WRITTEN}")


_WRITTEN = "write saelens, sparsify or openai"
DICTIONARY_FORMATS: Registry[DictionaryFormat] = Registry(
    "layout of dictionaries", __package__, "brodmann.dictionary_formats"
)
T = TypeVar("T", bound=type[DictionaryFormat])


def dictionary_format(kind: T) -> T:
    """A class decorator that registers a layout."""
    DICTIONARY_FORMATS.register(kind.name, kind(), kind.__module__)
    return kind


def read_dictionary(
    path: Path | str,
    rows: Tensor | npt.ArrayLike | None = None,
    *,
    layout: str | None = None,
    scale: float | None = None,
) -> Dictionary:
    """A dictionary from a file or folder of any layout that is known, our own ``NAME.features`` among them.

    Parameters
    ----------
    path : Path
    rows : array of shape (n_rows, n_units), optional
        Rows of its layer: up to 2000 of them are taken apart and made again, and give the scale where a file lacks it.
    layout : str, optional
        One of ``DICTIONARY_FORMATS``, where the files' names do not tell.
    scale : float, optional
        Mean norm of rows over the root of their units, for SAELens's ``expected_average_only_in`` without `rows`.

    Raises
    ------
    UserError
        For files that are of no known layout or damaged; for a dictionary that leaves more of the rows than their mean
        does (FVU > 1).
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise UserError(f"no dictionary at {path}")
    tried = None if rows is None else torch.as_tensor(rows)[:_TRIED].float()
    if layout is None and (path / _OURS).is_file():
        found = Dictionary.load(path)
    else:
        found = _layout_of(path, layout).read(path, _scale(tried) if scale is None else scale)
    if tried is not None:
        check_fits(found, tried, str(path))
    return found


def _layout_of(path: Path, layout: str | None) -> DictionaryFormat:
    if layout is not None:
        return DICTIONARY_FORMATS[layout]
    fitting = [one for one in DICTIONARY_FORMATS.values() if one.recognizes(path)]
    if fitting:
        return fitting[0]
    inner = [one for one in sorted(path.iterdir()) if one.is_dir()] if path.is_dir() else []
    inside = [one.name for one in inner if any(kind.recognizes(one) for kind in DICTIONARY_FORMATS.values())]
    if inside:
        raise UserError(f"{path} holds several dictionaries: name one of them ({', '.join(inside[:8])})")
    known = "; ".join(f"{one.name}: {one.sentence}" for one in DICTIONARY_FORMATS.values())
    raise UserError(f"{path} is no dictionary of a known layout (NAME.features: features.json; {known})")


def _scale(rows: Tensor | None) -> float | None:
    if rows is None or rows.ndim != 2 or not len(rows):
        return None
    return float(rows.double().norm(dim=1).mean()) / math.sqrt(rows.shape[1])


def check_fits(dictionary: Dictionary, rows: Tensor, name: str) -> float:
    """The fraction of variance that a dictionary leaves of rows; a UserError where it is more than their mean leaves.

    Parameters
    ----------
    dictionary : Dictionary
    rows : Tensor of shape (n_rows, n_units)
    name : str
        For the message.
    """
    if len(rows) < 2 or dictionary.weights.decoder.shape[1] != dictionary.n_units:
        return float("nan")  # a transcoder makes other rows than it takes
    left = reconstruction(dictionary, rows).fvu
    if not left <= 1:
        raise UserError(
            f"{name}: of {len(rows)} rows it leaves {left:.3g} times their variance, worse than their mean: it was "
            "probably learnt on rows that were centred or scaled, of another layer, or before another function"
        )
    return left


def raw_weights(dictionary: Dictionary) -> Weights:
    """The numbers of a dictionary that takes rows as they are: mean and scale are part of encoder, decoder and biases.

    a = (E / s) (x - (mu + s b)) + b_e and x^ = f (s D) + (mu + s b); with rows that are normalised each by itself, as
    they are.

    Parameters
    ----------
    dictionary : Dictionary
    """
    w = dictionary.weights
    if dictionary.rows != "scaled":
        return w
    scale = dictionary.scale
    out_scale = scale if dictionary.output_scale is None else dictionary.output_scale
    out_mean = dictionary.mean if dictionary.output_mean is None else dictionary.output_mean
    extra = dict(w.extra)
    apart = (
        "output_bias" in extra or dictionary.output_mean is not None or dictionary.output_scale is not None
    )
    if apart or "skip" in extra:
        extra["output_bias"] = out_mean + out_scale * extra.get("output_bias", w.bias)
    if "skip" in extra:
        extra["skip"] = extra["skip"] * (out_scale / scale)
        extra["output_bias"] = extra["output_bias"] - extra["skip"] @ dictionary.mean
    bias = dictionary.mean + scale * w.bias
    return replace(w, encoder=w.encoder / scale, decoder=w.decoder * out_scale, bias=bias, extra=extra)


def without_input_bias(weights: Weights) -> Tensor:
    """The encoder's bias where nothing is taken from rows before it, b_e - E b."""
    if not bool(weights.bias.any()):
        return weights.encoder_bias
    moved = weights.encoder.double() @ weights.bias.double()
    return (weights.encoder_bias.double() - moved).float()


def made_of(
    weights: Weights,
    variant: str,
    site: Site,
    layout: str,
    *,
    rows: Literal["scaled", "normalized", "rescaled"] = "scaled",
    scale: float = 1.0,
    said: str = "",
) -> Dictionary:
    """A dictionary of what a file held.

    Parameters
    ----------
    weights : Weights
    variant : str
    site : Site
    layout : str
    rows : {"scaled", "normalized", "rescaled"}
    scale : float
    said : str
        What was changed on the way, in words.
    """
    facts = {"layout": layout} | ({"converted": said} if said else {})
    mean, out = torch.zeros(weights.n_units), weights.decoder.shape[1]
    elsewhere = (torch.zeros(out), 1.0) if out != weights.n_units else (None, None)
    return Dictionary(weights, mean, scale, variant, rows, site, facts, *elsewhere)
