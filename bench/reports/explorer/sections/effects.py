"""What a network loses where a feature is silenced, or a unit set to its mean: in nats, beside another's step.

With f_i(x_t) the activation of feature i at token t and d_i its direction, silencing is x_t -> x_t - f_i(x_t) d_i;
of unit u it is x_tu -> m_u. The change of -ln p of a token that follows is its effect. Where a feature is silent
nothing is changed, so that its effect there is 0, whatever the network. The control takes, at the same tokens, a step
as long along the direction of another feature of about the same rate, or another unit of about the same variance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .....analysis.interpretability.lenses.passes import layer_in, predicting
from .....analysis.interpretability.lenses.steps import Step, Steps, step_losses
from .....analysis.interpretability.lenses.token_texts import token_texts
from .....errors import UserError, first_line
from .....models.extraction.rows import TokenWindows, layer_rows
from ....studies.feature_lesions import FeatureLesion, feature_lesion
from ..content import Column, Of, Section
from ..looked import Asked, Looked

Indices = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float32]
N_WINDOWS = 8
"""Windows of a feature or unit: half of them those where it is strongest, the others drawn."""
_N_TOKENS = 6
_MOST_HELD = 1 << 24
"""Most changes of probabilities that are summed at once."""
_HIGH = 0.9
"""A unit counts as active where it is further from its mean than at so many of all tokens."""
_ACTIVE: dict[Of, str] = {
    "feature": "at which it is active, where it is silenced: x - f d",
    "unit": "at which it is in the tenth furthest from its mean, where it is set to its mean",
}
_OTHER: dict[Of, str] = {
    "feature": "a step as long along another feature of about the same rate, at the same tokens",
    "unit": "a step as long along another unit of about the same variance, at the same tokens",
}


def effects(looked: Looked, asked: Asked) -> Section:
    """Silence every feature, and set every unit to its mean.

    Parameters
    ----------
    looked : Looked
    asked : Asked
        ``effects``, ``lesions``, ``n_controls``.
    """
    if not asked.effects:
        return Section("effects", left_out=["effects: not asked for"])
    part = looked.inside.part
    if not isinstance(part, TokenWindows):
        raise UserError("effects are changes of the loss of the next token: of networks that read texts")
    shown = _Shown(looked, part)
    entries = {
        of: _effects(shown, shown.features() if of == "feature" else shown.units()) for of in looked.kinds
    }
    lesions, left_out = _lesions(looked, asked, part)
    main: Of = "feature" if "feature" in entries else "unit"
    medians = {of: _median(some) for of, some in entries.items()}
    return Section(
        "effects",
        {of: _columns(of, some) for of, some in entries.items()},
        entries,
        whole={"of": main, "lesions": lesions, "median": medians[main], "medians": medians},
        controls=[
            {
                "kind": _OTHER[of], "of": of, "fires": one["other_fires"], "elsewhere": one["other_elsewhere"],
                "n": one["n"],
            }
            for of, one in medians.items()
        ],
        left_out=left_out,
    )  # fmt: skip


@dataclass(frozen=True)
class _Things:
    """Features or units that are changed.

    Attributes
    ----------
    directions : Tensor of shape (n, n_units)
    others : array of int, shape (n,)
        Of whose direction each one's control is.
    steps : list of list of (window, places, sizes, active)
        By thing and window: what is added along its direction, and whether the token counts as one where it is active.
    """

    directions: Tensor
    others: Indices
    steps: list[list[tuple[int, Indices, Floats, npt.NDArray[np.bool_]]]]


class _Shown:
    """The windows that are looked at, and what features and units are at each of their tokens, the first one, too."""

    def __init__(self, looked: Looked, part: TokenWindows) -> None:
        self.looked, self.ids = looked, part.ids
        inside = looked.inside
        self.model = predicting(inside.model)
        self.layer = layer_in(self.model, inside.layer)
        begun = TokenWindows([one[:1] for one in part.ids], [one[:1] for one in part.document])
        self.first: Floats = torch.cat(
            [one.values for one in layer_rows(inside.model, inside.layer, begun, first=True)]
        ).numpy()
        lengths = np.array([len(one) - 1 for one in part.ids])
        self.start = np.cumsum([0, *lengths])
        whole = np.repeat(np.arange(len(part)), lengths)
        if len(self.first) != len(part) or not np.array_equal(whole, inside.read.stimulus):
            raise UserError(f"layer {inside.layer!r} has no row for each token of a window, in their order")
        self.generator = np.random.default_rng([inside.seed, 71])

    def features(self) -> _Things:
        """All features, silenced where they are active."""
        dictionary, codes = self.looked.inside.features, self.looked.features
        dictionary.edited({0: 0.0})  # a transcoder's cannot be
        window, place = self.looked.inside.read.stimulus, self.looked.inside.read.place
        first = dictionary.encode(self.first)
        at_first = [first.indices.numpy(), first.values.numpy() * self._stretch(self.first)[:, None]]
        stretch = self._stretch(self.looked.units)
        steps = []
        for i in range(dictionary.n_features):
            own = slice(codes.indptr[i], codes.indptr[i + 1])
            rows = np.sort(codes.indices[own])
            value = codes.data[own][np.argsort(codes.indices[own], kind="stable")]
            chosen, each = self._chosen(window[rows], value), []
            for one in chosen:
                low, high = np.searchsorted(rows, [self.start[one], self.start[one + 1]])
                places, size = place[rows[low:high]], value[low:high] * stretch[rows[low:high]]
                begins = float(at_first[1][one][at_first[0][one] == i].sum())
                if begins > 0:
                    places, size = np.append(0, places), np.append(begins, size)
                each.append((one, places, -size.astype(np.float32), self._counts(one, places)))
            steps.append(each)
        return _Things(dictionary.directions, _neighbors(np.diff(codes.indptr)), steps)

    def units(self) -> _Things:
        """All units, at their mean."""
        rows = self.looked.units
        mean, window, steps = rows.mean(axis=0), self.looked.inside.read.stimulus, []
        for u in range(rows.shape[1]):
            away = np.abs(rows[:, u] - mean[u])
            high = np.quantile(away, _HIGH)
            each = []
            for one in self._chosen(window[away > high], away[away > high]):
                own = slice(self.start[one], self.start[one + 1])
                places = np.arange(len(self.ids[one]))
                active = self._counts(one, places) & np.append(False, away[own] > high)
                each.append((one, places, mean[u] - np.append(self.first[one, u], rows[own, u]), active))
            steps.append(each)
        return _Things(torch.eye(rows.shape[1]), _neighbors(rows.var(axis=0)), steps)

    def _stretch(self, rows: Floats) -> Floats:
        """What a row's activations are worth beside the dictionary's one scale."""
        dictionary = self.looked.inside.features
        found = dictionary._scaled(torch.from_numpy(rows))[2]
        if found is None:
            return np.ones(len(rows), np.float32)
        return (found[:, 0] / dictionary.scale).numpy()

    def _counts(self, window: int, places: Indices) -> npt.NDArray[np.bool_]:
        """Whether a token is predicted behind these; the first one, which no dictionary learns from, is left out."""
        return (places > 0) & (places < len(self.ids[window]) - 1)

    def _chosen(self, windows: Indices, values: Floats) -> Indices:
        """The windows of the highest values, and as many others of those where there are any."""
        peak = np.zeros(len(self.ids))
        np.maximum.at(peak, windows, values)
        known = np.flatnonzero(peak)
        known = known[np.argsort(-peak[known], kind="stable")]
        top = N_WINDOWS - N_WINDOWS // 2
        drawn = self.generator.permutation(known[top:])[: N_WINDOWS - top]
        return np.concatenate([known[:top], drawn])


def _neighbors(values: npt.ArrayLike) -> Indices:
    """For each the one next in rank, of those that are above 0."""
    size = np.asarray(values, np.float64)
    order = np.argsort(size, kind="stable")
    order = order[size[order] > 0]
    found = np.arange(len(size))
    if len(order) > 1:
        found[order] = np.append(order[1:], order[-2])
    return found


def _effects(shown: _Shown, things: _Things) -> list[dict[str, Any]]:
    """An entry for each."""
    vocabulary = max(int(one.max()) for one in shown.ids) + 1
    step = max(1, _MOST_HELD // vocabulary)
    n = len(things.steps)
    return [
        entry
        for start in range(0, n, step)
        for entry in _some(shown, things, range(start, min(start + step, n)))
    ]


def _some(shown: _Shown, things: _Things, numbers: range) -> list[dict[str, Any]]:
    length = things.directions.norm(dim=1).numpy()
    each: list[Step] = []
    owner: list[int] = []
    for i in numbers:
        other = int(things.others[i])
        ratio = length[i] / max(float(length[other]), 1e-12)
        for window, places, sizes, active in things.steps[i]:
            each += [
                (window, i, places, sizes, active),
                (window, other, places, (ratio * sizes).astype(np.float32), np.zeros(len(places), bool)),
            ]
            owner += [i - numbers.start] * 2
    of = np.array(owner, np.intp)
    moved: list[Tensor] = []

    def watch(steps: Indices, before: Tensor, after: Tensor) -> None:
        change = (after.softmax(dim=1) - before.softmax(dim=1)).cpu()
        if not moved:
            moved.append(torch.zeros(len(numbers), change.shape[1]))
        moved[0].index_add_(0, torch.from_numpy(of[steps]), change)

    changes = step_losses(shown.model, shown.layer, shown.ids, things.directions, Steps.of(each), watch)
    sums = np.zeros((len(numbers), 2, 2))
    counts = np.zeros((len(numbers), 2), np.intp)
    for k in range(0, len(each), 2):
        _, _, places, _, active = each[k]
        firing = np.zeros(len(changes[k]), bool)
        firing[places[active]] = True
        firing, rest = firing[1:], ~firing[1:]
        for column, change in enumerate(changes[k : k + 2]):
            sums[of[k], column] += change[1:][firing].sum(), change[1:][rest].sum()
        counts[of[k]] += firing.sum(), rest.sum()
    return [
        _entry(
            shown, sums[i], counts[i], len(things.steps[i + numbers.start]), moved[0][i] if moved else None
        )
        for i in range(len(numbers))
    ]


def _entry(
    shown: _Shown, sums: npt.NDArray[np.float64], counts: Indices, n_windows: int, moved: Tensor | None
) -> dict[str, Any]:
    mean = sums / np.maximum(counts, 1)
    most: list[list[Any]] = []
    if moved is not None and counts[0]:
        tokens = moved.abs().topk(min(_N_TOKENS, len(moved))).indices.numpy()
        texts = token_texts(shown.model.tokenizer, tokens)
        most = [[text, float(moved[at]) / int(counts[0])] for text, at in zip(texts, tokens, strict=True)]
    return {
        "fires": float(mean[0, 0]), "elsewhere": float(mean[0, 1]), "n_fires": int(counts[0]),
        "n_elsewhere": int(counts[1]), "n_windows": n_windows, "other_fires": float(mean[1, 0]),
        "other_elsewhere": float(mean[1, 1]), "most": most,
    }  # fmt: skip


def _median(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Over those that are active anywhere."""
    used = [one for one in entries if one["n_fires"]]
    names = ("fires", "elsewhere", "other_fires", "other_elsewhere")
    found: dict[str, Any] = {
        name: float(np.median([one[name] for one in used])) if used else None for name in names
    }
    beyond = [one["fires"] > one["other_fires"] for one in used]
    return found | {"n": len(used), "share_above_other": float(np.mean(beyond)) if used else None}


def _columns(of: Of, entries: Sequence[dict[str, Any]]) -> list[Column]:
    middle = _median(entries)
    beside = [{"kind": _OTHER[of], "value": middle["other_fires"]}]
    behind = f"tokens behind those {_ACTIVE[of]}; {N_WINDOWS} windows, half of them the strongest"
    return [
        Column(
            "effect", "loss where it is silenced", [one["fires"] for one in entries], "effects", diverging=True,
            unit="nats", sentence=f"mean change of -ln p of {behind}", beside=beside,
        ),
        Column(
            "effect.beyond", "loss beyond another's", [one["fires"] - one["other_fires"] for one in entries],
            "effects", diverging=True, unit="nats", sentence=f"the same, less that of {_OTHER[of]}",
        ),
    ]  # fmt: skip


def _lesions(looked: Looked, asked: Asked, part: TokenWindows) -> tuple[list[dict[str, Any]], list[str]]:
    """Lesions of the units that hold half of a feature's mass, beside draws of other units."""
    found, left_out = [], []
    inside = looked.inside
    design = FeatureLesion(n_controls=asked.n_controls, seed=inside.seed)
    sheet = inside.model.sheet_of_units(inside.layer, inside.n_units)
    for feature in asked.lesions if looked.dictionary is not None else ():
        try:
            model: Any = inside.model
            found.append(
                feature_lesion(model, inside.layer, inside.features, feature, part, design, sheet=sheet)
            )
        except UserError as error:
            left_out.append(f"lesion of feature {feature}: {first_line(error)}")
    return found, left_out
