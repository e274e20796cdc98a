"""A sparse dictionary of a layer: rows in, the few features that make them up out, and back; read, kept and spliced in.

With x a row of the layer, mu its mean and s its scale over the training rows,

    x~ = (x - mu) / s,   f = act(E (x~ - b) + b_e),   x^ = s (f D + b) + mu.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...bounded import check_plain
from ...errors import UserError
from ...files import digest_of, read_json, sha256_file, whole_folder, write_json
from ...models.weights.state_dict import read_weights
from .codes import Codes, Weights
from .variants.base import VARIANTS, Variant

_FORMAT = 1
_WEIGHTS, _FACTS = "features.safetensors", "features.json"
_BLOCK = 1 << 25
"""Most answers of the encoder that are held at once."""
Rows = Tensor | npt.ArrayLike


@dataclass(frozen=True)
class Site:
    """What a dictionary takes apart.

    Attributes
    ----------
    model, weights_digest : str
        The model and its digest; empty where they are not known.
    layer : str
    row : {"token", "place"}
        What a row is.
    """

    model: str = ""
    weights_digest: str = ""
    layer: str = ""
    row: Literal["token", "place"] = "token"


@dataclass(frozen=True)
class Dictionary:
    """A sparse dictionary; rows that it takes and gives are the layer's own, without centring or scale.

    Attributes
    ----------
    weights : Weights
        In the scaled space.
    mean : Tensor of shape (n_units,)
    scale : float
    variant : str
        One of the registry ``VARIANTS``.
    rows : {"scaled", "normalized", "rescaled"}
        Whether all rows share mean and scale, each has its own mean and standard deviation taken out and put back
        (with 1e-5 beside the deviation where it is taken out), or each is brought to the norm sqrt(n_units) and back.
    site : Site
    facts : dict
        How it was learnt: digest of the corpus, rows seen, seeds, optimiser, versions, quality. Plain values.
    output_mean, output_scale : Tensor and float, or None
        Of a transcoder, whose rows come out elsewhere; those of the input where they are None.
    """

    weights: Weights = field(repr=False)
    mean: Tensor = field(repr=False)
    scale: float
    variant: str
    rows: Literal["scaled", "normalized", "rescaled"] = "scaled"
    site: Site = Site()
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    output_mean: Tensor | None = field(default=None, repr=False)
    output_scale: float | None = None

    def __post_init__(self) -> None:
        """Check shapes, the variant, and that all numbers are finite."""
        w = self.weights
        n_features, n_units = w.encoder.shape if w.encoder.ndim == 2 else (0, 0)
        out = w.decoder.shape[1] if w.decoder.ndim == 2 else 0
        shapes = {
            "encoder": (w.encoder, (n_features, n_units)),
            "decoder": (w.decoder, (n_features, out)),
            "encoder bias": (w.encoder_bias, (n_features,)),
            "bias": (w.bias, (n_units,)),
            "mean": (self.mean, (n_units,)),
        }
        if w.threshold is not None:
            shapes["threshold"] = (w.threshold, (n_features,))
        if self.output_mean is not None:
            shapes["output mean"] = (self.output_mean, (out,))
        known = {
            "output_bias": (out,),
            "skip": (out, n_units),
            "log_magnitude": (n_features,),
            "magnitude_bias": (n_features,),
        }
        shapes |= {name: (w.extra[name], shape) for name, shape in known.items() if name in w.extra}
        for name, (tensor, shape) in shapes.items():
            if tuple(tensor.shape) != shape or 0 in shape:
                raise UserError(
                    f"a dictionary's {name} is {tuple(tensor.shape)}: encoder {tuple(w.encoder.shape)} and decoder "
                    f"{tuple(w.decoder.shape)} ask for {shape}"
                )
        outputs = [] if self.output_mean is None else [("output mean", self.output_mean)]
        for name, tensor in [*w.tensors().items(), ("mean", self.mean), *outputs]:
            if not bool(torch.isfinite(tensor.sum(dtype=torch.float64))):
                raise UserError(f"a dictionary's {name} has values that are NaN or infinite")
        for scale in (self.scale, self.output_scale):
            if scale is not None and not (np.isfinite(scale) and scale > 0):
                raise UserError(f"a dictionary's scale must be above 0 and finite, not {scale}")
        self._check_codes()

    def _check_codes(self) -> None:
        """Try the variant on one row: it may need a k, gates or other numbers that are not there."""
        w = self.weights
        if not 0 <= w.k <= w.n_features:
            raise UserError(f"k = {w.k} of {w.n_features} features")
        try:
            width = self.kind.codes(w.encoder_bias[None], w).values.shape[1]
        except (KeyError, RuntimeError) as error:
            raise UserError(
                f"a {self.variant} dictionary's numbers do not fit together ({error!r})"
            ) from error
        if not width:
            raise UserError(f"k = 0: a {self.variant} dictionary has at least one active feature a row")

    @property
    def n_features(self) -> int:
        """How many features there are."""
        return self.weights.n_features

    @property
    def n_units(self) -> int:
        """Units of the layer."""
        return self.weights.n_units

    @property
    def kind(self) -> Variant:
        """The variant, from the registry."""
        return VARIANTS[self.variant]

    @property
    def directions(self) -> Tensor:
        """What each feature adds to a row at activation 1, (n_features, n_units), in the layer's own units."""
        scale = self.scale if self.output_scale is None else self.output_scale
        return self.weights.decoder * scale

    @cached_property
    def digest(self) -> str:
        """sha256 over all that makes its numbers."""
        w = self.weights
        tensors = {name: value.contiguous().numpy().tobytes() for name, value in sorted(w.tensors().items())}
        beside = [self.mean.numpy().tobytes(), repr(self.scale), self.variant, self.rows, w.k]
        out = [b"" if self.output_mean is None else self.output_mean.numpy().tobytes(), self.output_scale]
        return digest_of(*tensors, *tensors.values(), *beside, *out)

    def encode(self, x: Rows) -> Codes:
        """The features of rows.

        Parameters
        ----------
        x : Tensor or array of shape (n_rows, n_units)

        Returns
        -------
        Codes

        Raises
        ------
        UserError
            For another number of units.
        """
        blocks = list(self._encoded(self._tensor(x)))
        if len(blocks) == 1:
            return blocks[0]
        most = max(one.values.shape[1] for one in blocks)
        pad = [most - one.values.shape[1] for one in blocks]
        wide = [
            (torch.nn.functional.pad(one.values, (0, n)), torch.nn.functional.pad(one.indices, (0, n)))
            for one, n in zip(blocks, pad, strict=True)
        ]
        shifts = [one.shift for one in blocks if one.shift is not None]
        stretches = [one.stretch for one in blocks if one.stretch is not None]
        return Codes(
            torch.cat([values for values, _ in wide]),
            torch.cat([indices for _, indices in wide]),
            self.n_features,
            torch.cat(shifts) if shifts else None,
            torch.cat(stretches) if stretches else None,
        )

    def decode(self, codes: Codes | Tensor) -> Tensor:
        """Rows from features.

        Parameters
        ----------
        codes : Codes, or Tensor of shape (n_rows, n_features)

        Returns
        -------
        Tensor of shape (n_rows, n_units)
        """
        w = self.weights
        bias = w.extra.get("output_bias", w.bias)
        if isinstance(codes, Tensor):
            return self._raw(codes @ w.decoder + bias, None, None)
        made = torch.nn.functional.embedding_bag(
            codes.indices, w.decoder, per_sample_weights=codes.values.to(w.decoder), mode="sum"
        )
        return self._raw(made + bias, codes.shift, codes.stretch)

    def reconstruct(self, x: Rows) -> Tensor:
        """Rows as the dictionary sees them, decode(encode(x)); with the skip of a transcoder that has one.

        Parameters
        ----------
        x : Tensor or array of shape (n_rows, n_units)
        """
        rows = self._tensor(x)
        skip = self.weights.extra.get("skip")
        made, start = [], 0
        for codes in self._encoded(rows):
            part = self.decode(codes)
            if skip is not None:
                scale = self.scale if self.output_scale is None else self.output_scale
                part = part + scale * (self._scaled(rows[start : start + len(codes)])[0] @ skip.T)
            made.append(part)
            start += len(codes)
        return torch.cat(made)

    def edited(self, factors: Mapping[int, float]) -> Callable[[Tensor], Tensor]:
        """A function of rows that scales some features and leaves all else, the unexplained part too.

        x -> x + sum_i (factor_i - 1) f_i d_i: factor 0 silences a feature, 2 doubles it.

        Parameters
        ----------
        factors : mapping of int to float
        """
        wrong = [one for one in factors if not 0 <= one < self.n_features]
        if wrong:
            raise UserError(f"there is no feature {wrong[0]}: the dictionary has {self.n_features}")
        if self.kind.learning.transcodes or self.output_mean is not None or "skip" in self.weights.extra:
            raise UserError(
                "a transcoder makes other rows than it takes: its features cannot be edited in those"
            )
        return Edit(self, dict(factors))

    def _encoded(self, rows: Tensor) -> Iterator[Codes]:
        step = max(1, _BLOCK // self.n_features)
        for start in range(0, max(len(rows), 1), step):
            scaled, shift, stretch = self._scaled(rows[start : start + step])
            w = self.weights
            pre = torch.addmm(w.encoder_bias, scaled - w.bias, w.encoder.T)
            codes = self.kind.codes(pre, w)
            yield codes if shift is None else replace(codes, shift=shift, stretch=stretch)

    def _tensor(self, x: Rows) -> Tensor:
        rows = x if isinstance(x, Tensor) else torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
        if rows.ndim != 2 or rows.shape[1] != self.n_units:
            raise UserError(f"the dictionary is of {self.n_units} units, the rows are {tuple(rows.shape)}")
        return rows.float()

    def _scaled(self, rows: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        if self.rows == "scaled":
            return (rows - self.mean) / self.scale, None, None
        if self.rows == "rescaled":
            stretch = rows.norm(dim=1, keepdim=True) / rows.shape[1] ** 0.5
            return rows / stretch.clamp_min(1e-12), torch.zeros_like(stretch), stretch
        shift = rows.mean(dim=1, keepdim=True)
        stretch = rows.std(dim=1, keepdim=True, correction=1)
        return (rows - shift) / (stretch + 1e-5), shift, stretch

    def _raw(self, made: Tensor, shift: Tensor | None, stretch: Tensor | None) -> Tensor:
        if shift is not None and stretch is not None:
            return made * stretch + shift
        mean = self.mean if self.output_mean is None else self.output_mean
        return made * (self.scale if self.output_scale is None else self.output_scale) + mean

    def save(self, folder: Path) -> Path:
        """Write ``features.safetensors`` and ``features.json``; the folder appears whole.

        Parameters
        ----------
        folder : Path
            By custom ``NAME.features``.
        """
        from safetensors.torch import save_file

        tensors = {**self.weights.tensors(), "mean": self.mean}
        if self.output_mean is not None:
            tensors["output_mean"] = self.output_mean
        with whole_folder(folder) as place:
            save_file({name: one.contiguous().clone() for name, one in tensors.items()}, place / _WEIGHTS)
            facts = {
                "format": _FORMAT,
                "variant": self.variant,
                "rows": self.rows,
                "n_features": self.n_features,
                "n_units": self.n_units,
                "k": self.weights.k,
                "scale": self.scale,
                "output_scale": self.output_scale,
                "site": vars(self.site),
                "facts": dict(self.facts),
                "sha256": sha256_file(place / _WEIGHTS),
            }
            write_json(place / _FACTS, facts)
        return folder

    @classmethod
    def load(cls, folder: Path) -> "Dictionary":
        """Read a folder that :meth:`save` wrote.

        Parameters
        ----------
        folder : Path

        Raises
        ------
        UserError
            For a folder that is not one, damaged files, shapes that do not fit.
        """
        folder = Path(folder)
        if not (folder / _FACTS).is_file() or not (folder / _WEIGHTS).is_file():
            raise UserError(f"{folder} is no dictionary: it lacks {_FACTS} or {_WEIGHTS}")
        check_plain(folder)
        kept = read_json(folder / _FACTS)
        try:
            if kept["format"] != _FORMAT:
                raise UserError(f"{folder} is of format {kept['format']}, which this version does not read")
            if kept["sha256"] != sha256_file(folder / _WEIGHTS):
                raise UserError(f"{folder}: {_WEIGHTS} is not the one that {_FACTS} is of: copy it again")
            tensors = {name: one.float() for name, one in read_weights(folder / _WEIGHTS).items()}
            extra = {
                name.removeprefix("extra."): one for name, one in tensors.items() if name.startswith("extra.")
            }
            encoder, decoder, *biases = (
                tensors[one] for one in ("encoder", "decoder", "encoder_bias", "bias")
            )
            if kept["k"] != int(kept["k"]) or kept["n_features"] != len(decoder):
                raise UserError(
                    f"{folder}: {_FACTS} says k = {kept['k']} of {kept['n_features']} features, the weights have "
                    f"{len(decoder)}"
                )
            weights = Weights(
                encoder, decoder, biases[0], biases[1], int(kept["k"]), tensors.get("threshold"), extra
            )
            if kept["rows"] not in ("scaled", "normalized", "rescaled"):
                raise UserError(
                    f"{folder}: rows are 'scaled', 'normalized' or 'rescaled', not {kept['rows']!r}"
                )
            return cls(
                weights,
                tensors["mean"],
                float(kept["scale"]),
                str(kept["variant"]),
                cast(Any, kept["rows"]),
                Site(**{name: str(value) for name, value in kept["site"].items()}),  # type: ignore[arg-type]
                dict(kept["facts"]),
                tensors.get("output_mean"),
                None if kept["output_scale"] is None else float(kept["output_scale"]),
            )
        except UserError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(f"{folder}: {_FACTS} or {_WEIGHTS} is not of a dictionary ({error!r})") from error


@dataclass(frozen=True)
class Edit:
    """Rows with some features scaled; see :meth:`Dictionary.edited`."""

    dictionary: Dictionary
    factors: dict[int, float]

    def __call__(self, rows: Tensor) -> Tensor:
        """(n_rows, n_units) -> the same shape."""
        codes = self.dictionary.encode(rows)
        change = rows.new_zeros(self.dictionary.n_features)
        for feature, factor in self.factors.items():
            change[feature] = factor - 1
        values = codes.values * change[codes.indices]
        added = torch.nn.functional.embedding_bag(
            codes.indices, self.dictionary.weights.decoder, per_sample_weights=values, mode="sum"
        )
        stretch = self.dictionary.scale if codes.stretch is None else codes.stretch
        return rows + added * stretch
