"""Silence a feature, or the units that hold half of its mass, or push along it: what changes where it fires.

Units of a feature are units of high variance, too, and any units may matter to what a network does. So the change where
the feature fires stands beside that elsewhere, and both beside the same for units that are drawn: at random, around a
place of the sheet, of the same variance, or holding the mass of another feature.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...analysis.interpretability.sheets.feature_mass import decoder_mass, units_of_share
from ...analysis.statistics.resampling import bootstrap_weights, percentile_interval
from ...errors import UserError
from ...files import digest_of
from ...models.extraction.rows import TokenWindows, layer_rows, predicted_tokens, token_losses
from ...models.interventions.lesions import contiguous_units, random_units
from ...models.interventions.splice import Splice
from ...models.interventions.steering import Steer
from ...progress import track
from ..scoring import score

if TYPE_CHECKING:
    from ...analysis.interpretability.dictionary import Dictionary
    from ...models.extraction.language_model import LanguageModel
    from ...models.sheet import Sheet

Units = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
Measure = Callable[["LanguageModel"], Mapping[str, float]]
"""A network with or without a change -> numbers by name: F1 of a probe, r with a recording."""
FIRING, ELSEWHERE, SPECIFIC = "where it fires", "elsewhere", "specific"
_ALIKE = 8
"""Units of the nearest variance, of which one is drawn for each unit."""
_QUANTILE = 0.99


@dataclass(frozen=True)
class FeatureLesion:
    """What is done, and to what it is compared.

    Attributes
    ----------
    share : float
        Of the feature's mass that the silenced units hold.
    n_controls : int
        Draws of every kind of units.
    n_measured : int
        Draws of every kind that a measure of one's own (a probe, a brain score) is taken of as well; these take long.
    n_windows : int
        Windows that are read: at most half of them the feature's strongest, the others drawn.
    n_draws : int
        Of windows, for intervals.
    seed : int
    """

    share: float = 0.5
    n_controls: int = 200
    n_measured: int = 10
    n_windows: int = 96
    n_draws: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.n_controls < 1 or self.n_windows < 4:
            raise UserError(
                f"a lesion has at least 1 control and at least 4 windows, not {self.n_controls} and {self.n_windows}"
            )


def feature_lesion(
    model: "LanguageModel",
    layer: str,
    dictionary: "Dictionary",
    feature: int,
    windows: TokenWindows,
    design: FeatureLesion | None = None,
    *,
    sheet: "Sheet | None" = None,
    measures: Measure | None = None,
) -> dict[str, Any]:
    """Change of the loss where a feature fires and elsewhere, beside as many other units.

    A feature fires at a token where its code is above 0; the loss is that of the next token, the first that the row of
    this one can change. Units are set to their mean over the dictionary's rows, not to 0, which no unit need ever take.

    Parameters
    ----------
    model : LanguageModel
        That predicts next tokens.
    layer : str
    dictionary : Dictionary
    feature : int
    windows : TokenWindows
        Held-out texts.
    design : FeatureLesion, optional
    sheet : Sheet, optional
        Where the units lie, for contiguous controls.
    measures : callable, optional
        What else is measured of the network with and without the lesion.

    Returns
    -------
    dict
        ``units``; ``n_firing`` and ``n_elsewhere``, tokens; ``whole``, losses without a change; ``lesion``, ``edit``
        (the feature alone, scaled to 0) and ``steer`` (pushed by its 99 % quantile): change of the loss ``where it
        fires``, ``elsewhere``, and their difference, ``specific``, with its interval over windows; ``controls``: by
        kind, mean, sd and n of each, ``p`` (share of draws, and of the lesion, that change as much or more) and, for
        ``specific``, ``excess`` with its interval: that of the lesion less the mean of the draws, windows drawn anew.
        ``measures``: the same of one's own.

    Raises
    ------
    UserError
        For a feature that there is not, or that does not fire in these texts.
    """
    design = design or FeatureLesion()
    if not 0 <= feature < dictionary.n_features:
        raise UserError(f"there is no feature {feature}: the dictionary has {dictionary.n_features}")
    if dictionary.weights.decoder.shape[1] != dictionary.n_units:
        raise UserError(
            "a transcoder writes into another layer than it reads: its features have no units to silence"
        )
    mass = decoder_mass(dictionary.directions.numpy())
    units = np.sort(units_of_share(mass[feature], design.share))
    shown, fires, strength, variance = _chosen(model, layer, dictionary, feature, windows, design)
    place = _Contexts(shown, fires)
    before = token_losses(model, shown)[place.counted]

    def change(*interventions: Any) -> Floats:
        return token_losses(model.with_lesions(*interventions), shown)[place.counted] - before

    def at_mean(some: Units) -> Splice:
        return silenced(layer, some, dictionary.mean)

    own = change(at_mean(units))
    name = f"feature {feature} at 0"
    edit = Splice(layer, dictionary.edited({feature: 0.0}), name, digest_of(dictionary.digest, name))
    pushed = Steer(layer, dictionary.directions[feature], strength)
    result: dict[str, Any] = {
        "feature": feature,
        "layer": layer,
        "units": units.tolist(),
        "n_units": dictionary.n_units,
        "share": float(mass[feature, units].sum()),
        "n_firing": int(place.firing.sum()),
        "n_elsewhere": int((~place.firing).sum()),
        "n_windows": len(shown),
        "strength": strength,
        "whole": {FIRING: float(before[place.firing].mean()), ELSEWHERE: float(before[~place.firing].mean())},
        "lesion": place.said(own, design),
        "edit": place.said(change(edit), design),
        "steer": place.said(change(pushed), design),
        "controls": {},
    }
    kinds = control_units(units, mass, feature, variance, sheet, design)
    for kind, draws in kinds.items():
        drawn = [change(at_mean(some)) for some in track(draws, f"control: {kind}")]
        result["controls"][kind] = place.against(own, drawn, design)
    if measures is not None:
        result["measures"] = _measured(model, measures, at_mean, units, kinds, design)
    return result


def silenced(layer: str, units: Units, mean: Tensor) -> Splice:
    """Some units of a layer at their mean.

    Parameters
    ----------
    layer : str
    units : array of int
    mean : Tensor of shape (n_units,)
    """
    name = f"{len(units)} units at their mean"
    digest = digest_of(np.asarray(units).tolist(), mean[torch.as_tensor(units)].tolist())
    return Splice(layer, _AtMean(torch.as_tensor(units), mean), name, digest)


@dataclass(frozen=True)
class _AtMean:
    units: Tensor
    mean: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        changed = rows.clone()
        changed[:, self.units] = self.mean[self.units].to(rows)
        return changed


def control_units(
    units: Units,
    mass: Floats,
    feature: int,
    variance: Floats,
    sheet: "Sheet | None",
    design: FeatureLesion,
) -> dict[str, list[Units]]:
    """As many units as the lesion takes, drawn in every way; none but those of other features takes one of its own.

    Parameters
    ----------
    units : array of int
    mass : array of shape (n_features, n_units)
    feature : int
    variance : array of shape (n_units,)
    sheet : Sheet or None
    design : FeatureLesion
    """
    n_units, n = mass.shape[1], len(units)
    if 2 * n > n_units:
        raise UserError(
            f"{n} of {n_units} units hold that share of the mass: too many to draw as many others"
        )
    seeds = [design.seed + i for i in range(design.n_controls)]
    kinds = {"random units": [random_units(n_units, n, besides=units, random_state=seed) for seed in seeds]}
    if sheet is not None and len(sheet) == n_units:
        kinds["contiguous units"] = [
            contiguous_units(sheet, n, besides=units, random_state=seed) for seed in seeds
        ]
    kinds["units of the same variance"] = [_alike(units, variance, seed) for seed in seeds]
    others = np.setdiff1d(np.arange(len(mass)), [feature])
    if len(others):
        generator = np.random.default_rng([design.seed, 61])
        chosen = generator.choice(others, design.n_controls, replace=len(others) < design.n_controls)
        kinds["units of another feature"] = [
            np.sort(np.argsort(-mass[one], kind="stable")[:n]) for one in chosen
        ]
    return kinds


def _alike(units: Units, variance: Floats, seed: int) -> Units:
    """For every unit one of those whose variance is nearest, none twice."""
    generator = np.random.default_rng([seed, 62])
    free = np.setdiff1d(np.arange(len(variance)), units)
    level = np.log(np.maximum(variance, 1e-300))
    found: list[int] = []
    for unit in generator.permutation(units):
        near = free[np.argsort(np.abs(level[free] - level[unit]), kind="stable")[:_ALIKE]]
        one = int(generator.choice(near))
        found.append(one)
        free = free[free != one]
    return np.sort(np.array(found, np.intp))


def _chosen(
    model: "LanguageModel",
    layer: str,
    dictionary: "Dictionary",
    feature: int,
    windows: TokenWindows,
    design: FeatureLesion,
) -> tuple[TokenWindows, list[Units], float, Floats]:
    """Windows in which the feature is strongest, and others; where it fires; its 99 % quantile; variance of units."""
    peak, values = np.zeros(len(windows)), []
    places: list[list[int]] = [[] for _ in range(len(windows))]
    total, square, n_rows = np.zeros(dictionary.n_units), np.zeros(dictionary.n_units), 0
    for rows in layer_rows(model, layer, windows):
        codes = dictionary.encode(rows.values)
        code = torch.where(codes.indices == feature, codes.values, 0.0).sum(dim=1).numpy()
        np.maximum.at(peak, rows.stimulus, code)
        for window, place in zip(rows.stimulus[code > 0], rows.place[code > 0], strict=True):
            places[window].append(int(place))
        values.append(code[code > 0])
        known = rows.values.double().numpy() - dictionary.mean.double().numpy()
        total, square, n_rows = (
            total + known.sum(axis=0),
            square + (known**2).sum(axis=0),
            n_rows + len(known),
        )
    active = np.concatenate(values) if values else np.empty(0)
    if len(active) == 0:
        raise UserError(f"feature {feature} never fires in these texts: choose another, or give more --texts")
    generator = np.random.default_rng([design.seed, 63])
    firing = np.flatnonzero(peak > 0)
    strongest = firing[np.argsort(-peak[firing], kind="stable")][: max(1, design.n_windows // 2)]
    rest = np.setdiff1d(np.arange(len(windows)), strongest)
    drawn = generator.permutation(rest)[: design.n_windows - len(strongest)]
    chosen = np.sort(np.concatenate([strongest, drawn]))
    variance = square / n_rows - (total / n_rows) ** 2
    fires = [np.array(places[i], np.intp) for i in chosen]
    return windows.taken(chosen), fires, float(np.quantile(active, _QUANTILE)), variance


class _Contexts:
    """Which of the predicted tokens follow one at which the feature fires.

    The first token of a window, whose row no dictionary learns from, is followed by one that counts for neither.
    """

    def __init__(self, windows: TokenWindows, fires: Sequence[Units]) -> None:
        window, place = predicted_tokens(windows)
        self.counted = place > 1
        self.window, place = window[self.counted], place[self.counted]
        self.firing = np.zeros(len(place), bool)
        for i, some in enumerate(fires):
            here = self.window == i
            self.firing[here] = np.isin(place[here] - 1, some)
        if not self.firing.any() or self.firing.all():
            raise UserError(
                "the feature fires before none of the predicted tokens, or before all: there is nothing to compare"
            )
        self.n_windows = len(windows)

    def sums(self, change: Floats) -> Floats:
        """Sum and count by window where it fires, and elsewhere: (4, n_windows)."""
        return np.stack(
            [
                np.bincount(self.window, weights=one, minlength=self.n_windows)
                for one in (change * self.firing, self.firing, change * ~self.firing, ~self.firing)
            ]
        ).astype(np.float64)

    def means(self, change: Floats) -> dict[str, float]:
        """Of a change of the loss."""
        at, besides = float(change[self.firing].mean()), float(change[~self.firing].mean())
        return {FIRING: at, ELSEWHERE: besides, SPECIFIC: at - besides}

    def said(self, change: Floats, design: FeatureLesion) -> dict[str, Any]:
        """The means, and the interval of what is specific over windows."""
        drawn = self._specific(self.sums(change), self._weights(design))
        return self.means(change) | {"interval": list(percentile_interval(drawn))}

    def against(self, own: Floats, drawn: Sequence[Floats], design: FeatureLesion) -> dict[str, Any]:
        """A lesion beside draws of other units."""
        observed, each = self.means(own), [self.means(one) for one in drawn]
        weights = self._weights(design)
        mean = self._specific(self.sums(np.mean(drawn, axis=0)), weights)
        excess = self._specific(self.sums(own), weights) - mean
        found: dict[str, Any] = {}
        for name in (FIRING, ELSEWHERE, SPECIFIC):
            found[name] = beside(observed[name], [one[name] for one in each])
        found[SPECIFIC] |= {
            "excess": observed[SPECIFIC] - found[SPECIFIC]["mean"],
            "interval": list(percentile_interval(excess)),
        }
        return found

    def _weights(self, design: FeatureLesion) -> Floats:
        return bootstrap_weights(self.n_windows, design.n_draws, random_state=design.seed)

    @staticmethod
    def _specific(sums: Floats, weights: Floats) -> Floats:
        at, n_at, besides, n_besides = (weights @ one for one in sums)
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = at / n_at - besides / n_besides
        return found


def beside(observed: float, drawn: Sequence[float]) -> dict[str, float]:
    """Mean, sd and n of controls, and the share of them, and of what was observed, that are at least as large.

    Parameters
    ----------
    observed : float
    drawn : sequence of float
    """
    values = np.array(drawn)
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else float("nan"),
        "n": len(values),
        "p": float((1 + (values >= observed).sum()) / (1 + len(values))),
    }


def _measured(
    model: "LanguageModel",
    measures: Measure,
    at_mean: Callable[[Units], Splice],
    units: Units,
    kinds: Mapping[str, list[Units]],
    design: FeatureLesion,
) -> dict[str, Any]:
    """Loss of each measure (whole less changed) by the lesion, and by some of the controls."""
    whole = dict(measures(model))

    def lost(some: Units) -> dict[str, float]:
        changed = measures(model.with_lesions(at_mean(some)))
        return {name: value - changed[name] for name, value in whole.items()}

    own = lost(units)
    found: dict[str, Any] = {"whole": whole, "lost": own, "controls": {}}
    for kind, draws in kinds.items():
        each = [lost(some) for some in track(draws[: design.n_measured], f"measures: {kind}")]
        if each:
            found["controls"][kind] = {name: beside(own[name], [one[name] for one in each]) for name in own}
    return found


def brain_score(benchmark: str, layer: str) -> Measure:
    """A measure: the score of the layers from a changed one on, without interval and p.

    Parameters
    ----------
    benchmark : str
    layer : str
        Where units are changed.
    """

    def of(model: "LanguageModel") -> dict[str, float]:
        module = layer.partition("#")[0]
        blocks = [one for one in model.layers if module.startswith(f"{one}.")]
        first = model.layers.index(blocks[-1]) if blocks else 0
        made = score(
            model, benchmark, model.layers[first:], n_bootstraps=0, n_permutations=0, beyond=(), run="lesions"
        )
        return {f"brain score ({benchmark})": float(made)}

    return of
