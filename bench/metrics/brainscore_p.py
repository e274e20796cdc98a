"""P of Brain-Score's metrics, which is ours: over all of their splits, and of what depends on each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from ...analysis.encoding.cross_validation import Indices, Split
from ...analysis.representation.gram import gram
from ...analysis.statistics.dependence import group_orders
from ...analysis.statistics.resampling import p_value, permutations
from ...correlation import pearson
from ...errors import UserError
from . import uncertainty
from .base import ScoringOptions
from .normalization import mean_of_medians
from .recording import Recording
from .sampling import Sampling, sampling
from .uncertainty import HeldOut

Floats = npt.NDArray[np.float64]
Predictor = Callable[[Floats, Floats, Sequence[Split]], list[Floats]]

_REFITTED, _REFITTED_OF_DRAWS, _REFITTED_TOGETHER = 1000, 400, 60
"""Most stimuli for which p fits anew: neuroids one by one; together, of many draws at once; and of one by one."""
_ORDERS_TOGETHER = 99
PERMUTED_ENTRIES = 1 << 24
"""Most numbers of all permuted responses together."""


@dataclass(frozen=True)
class Dependence:
    """What depends on what in a recording whose splits are Brain-Score's.

    Attributes
    ----------
    sampling : Sampling or None
        None where there are too few groups to say anything.
    parted : bool
        Whether the splits part what depends on each other.
    said : str
        The risk, in a line.
    """

    sampling: Sampling | None
    parted: bool = False
    said: str = ""

    @classmethod
    def of(cls, recorded: Recording, splits: Sequence[Split]) -> "Dependence":
        """Look for it as brodmann's own metrics do."""
        risk = "Brain-Score's splits part what depends on each other ({}): scores may come from that alone"
        try:
            how = sampling(recorded)
        except UserError:
            return cls(None, True, risk.format("too few groups to keep whole"))
        groups = how.groups
        parted = groups is not None and any(np.isin(groups[s.test], groups[s.train]).any() for s in splits)
        return cls(how, parted, risk.format(how.column) if parted else "")

    @property
    def groups(self) -> Indices | None:
        """What is drawn together."""
        return None if self.sampling is None else self.sampling.groups


@dataclass(frozen=True)
class PermutedSplits:
    """How p is found for a regression; the fields are those of ``BrainScoreRegression``."""

    predict: Predictor
    together: bool
    rotates: bool
    of_draws: Callable[[Floats, Floats, Floats], Floats] | None
    options: ScoringOptions

    def p(
        self,
        layers: Mapping[str, npt.ArrayLike],
        chosen: list[str],
        held_out: list[HeldOut],
        r: Floats,
        targets: Floats,
        dependence: Dependence,
    ) -> tuple[float, dict[str, object]]:
        """P over all splits, and how it was found.

        Splits share their stimuli, so what is permuted is fitted anew; where that would take too long, twice the
        median of the p of single splits, whose held-out stimuli stand apart from their training (Meinshausen, Meier &
        Bühlmann 2009, J. Am. Stat. Assoc. 104:1671).
        """
        how, parted, options = dependence.sampling, dependence.parted, self.options
        if options.n_permutations == 0:
            return float("nan"), {"p": "not asked for"}
        if how is None:
            return float("nan"), {"p": "none: too few groups to permute"}
        most = _REFITTED
        if self.together and not parted:
            most = _REFITTED_TOGETHER if self.of_draws is None else _REFITTED_OF_DRAWS
        if len(targets) > most:
            if parted:
                return float("nan"), {"p": f"none: of more than {most} stimuli that depend on each other"}
            return _p_of_splits(held_out, targets, how, options)
        n_draws = min(options.n_permutations, _ORDERS_TOGETHER if self.together else options.n_permutations)
        orders, what, smallest = how.orders(n_draws, options.seed + 2)
        everyone = np.arange(targets.shape[1])
        room = PERMUTED_ENTRIES // (len(targets) * len(orders))
        some = everyone if self.together else uncertainty.subsample_targets([everyone], options.seed, room)
        permuted = targets[orders][:, :, some]
        null = np.zeros(len(orders))
        for layer in dict.fromkeys(chosen):
            x = np.asarray(layers[layer], np.float64)
            x = _rotated(x) if self.rotates and x.shape[1] > len(x) else x
            splits = [one.split for one, name in zip(held_out, chosen, strict=True) if name == layer]
            null += self._null(x, permuted, splits)
        tested = f", over {len(some)} of {len(everyone)} neuroids" if len(some) < len(everyone) else ""
        return p_value(float(mean_of_medians(r[:, some])), null / len(held_out)), {
            "p": f"{what}, {len(orders)} times, fitted anew on all splits{tested}",
            "smallest_p": smallest,
        }

    def _null(self, x: Floats, permuted: Floats, splits: list[Split]) -> Floats:
        """Sum over splits of the median r, for responses (n_draws, n_stimuli, n_neuroids) in other orders."""
        if self.of_draws is not None:
            step = max(1, PERMUTED_ENTRIES // permuted[0].size)
            blocks = [permuted[start : start + step] for start in range(0, len(permuted), step)]
            return np.concatenate([self._null_of_block(x, block, splits) for block in blocks])
        if self.together:
            medians = [
                np.median(np.nan_to_num(pearson(found, y[one.test])), axis=-1)
                for y in permuted
                for one, found in zip(splits, self.predict(x, y, splits), strict=True)
            ]
            summed: Floats = np.reshape(medians, (len(permuted), len(splits))).sum(axis=1)
            return summed
        columns = permuted.transpose(1, 0, 2).reshape(len(x), -1)
        total = np.zeros(len(permuted))
        # what fits neuroids one by one through inner products is linear in the responses
        linear = self.predict(x, np.eye(len(x)), splits) if self.rotates else None
        predicted = (one @ columns for one in linear) if linear else self.predict(x, columns, splits)
        for one, found in zip(splits, predicted, strict=True):
            r = np.nan_to_num(pearson(found, columns[one.test]))
            total += np.median(r.reshape(len(permuted), -1), axis=1)
        return total

    def _null_of_block(self, x: Floats, permuted: Floats, splits: list[Split]) -> Floats:
        assert self.of_draws is not None
        total = np.zeros(len(permuted))
        for one in splits:
            found = self.of_draws(x[one.train], permuted[:, one.train], x[one.test])
            r = pearson(found.transpose(1, 0, 2), permuted[:, one.test].transpose(1, 0, 2))
            total += np.median(np.nan_to_num(r), axis=1)
        return total


def _p_of_splits(
    held_out: list[HeldOut], targets: Floats, sampled: Sampling, options: ScoringOptions
) -> tuple[float, dict[str, object]]:
    found = []
    for i, one in enumerate(held_out):
        test, seed = one.split.test, options.seed + 2 + i
        if sampled.groups is None:
            orders = permutations(len(test), options.n_permutations, random_state=seed)
            what, count = "stimulus labels permuted", float("inf")
        else:
            orders, what, count = group_orders(
                sampled.groups[test], sampled.position[test], options.n_permutations, random_state=seed
            )
        null = np.median(uncertainty.permuted_split(one, targets, orders), axis=1)
        observed = float(np.median(np.nan_to_num(pearson(one.prediction, targets[test]))))
        found.append((p_value(observed, null), 1 / (1 + min(len(orders), count))))
    p, smallest = np.minimum(2 * np.median(found, axis=0), 1.0).tolist()
    how_often = f"{what} among the held-out, {options.n_permutations} times"
    return p, {
        "p": f"twice the median over splits of the p of each: {how_often}",
        "smallest_p": smallest,
    }


def _rotated(x: Floats) -> Floats:
    """Features in as many dimensions as there are stimuli, with the same inner products about their mean."""
    values, vectors = eigh(gram(x), check_finite=False, driver="evd")
    found: Floats = vectors * np.sqrt(np.maximum(values, 0))
    return found
