"""Every property probed in one layer: units or features, with the fingerprint of superposition."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ....brain_data.probing.base import PROPERTIES
from ....brain_data.probing.material import Material
from ....errors import UserError, first_line
from ....progress import track
from .optimal_probe import GAMMA, SECONDS
from .probe import OptimalPoint, Probe, probe
from .reading import Encode, Labelled, labelled_rows
from .scores import N_DRAWS
from .sparse_probe import Point
from .superposition import Fingerprint, fingerprint, needed

if TYPE_CHECKING:
    from ....models.extraction.torch_model import Network


@dataclass(frozen=True)
class LayerProbes:
    """What the probes of one layer found.

    Attributes
    ----------
    layer : str
    n_units : int
        Units or features.
    probes : dict of str to dict of str to Probe
        Property -> pooling -> its probe; the first pooling has all controls.
    skipped : dict of str to str
        Property -> why it was not probed.
    fingerprint : Fingerprint
        Of the properties that are shown, by their first pooling.
    """

    layer: str
    n_units: int
    probes: dict[str, dict[str, Probe]]
    skipped: dict[str, str]
    fingerprint: Fingerprint

    def plain(self) -> dict[str, Any]:
        """Everything but the random draws, of which there is the mean, as JSON has it."""
        return {
            "layer": self.layer,
            "n_units": self.n_units,
            "properties": {
                name: {
                    "sentence": PROPERTIES[name].sentence,
                    "confound": PROPERTIES[name].confound,
                    **{pooling: _plain(one) for pooling, one in each.items()},
                }
                for name, each in self.probes.items()
            },
            "skipped": self.skipped,
            "superposition": asdict(self.fingerprint) | {"serves": self.fingerprint.serves.tolist()},
        }


def probe_layer(
    model: "Network",
    layer: str,
    names: Sequence[str] | None = None,
    material: Material | None = None,
    *,
    most: int = 32,
    optimal: bool = False,
    seconds: float = SECONDS,
    gamma: float = GAMMA,
    encode: Encode | None = None,
    n_draws: int = N_DRAWS,
    random_state: int = 0,
) -> LayerProbes:
    """Probe properties in a layer of a network.

    Parameters
    ----------
    model : Network
    layer : str
    names : sequence of str, optional
        Of ``PROPERTIES``; by default all that the network can read.
    material : Material, optional
        By default what is at hand without naming a folder.
    most, optimal, seconds, gamma, n_draws
        See :func:`.probe.probe`; the exact search is of the first pooling.
    encode : callable, optional
        Rows -> features, such as ``lambda rows: dictionary.encode(rows).dense()``.
    random_state : int

    Raises
    ------
    UserError
        For an unknown property or layer, or where every property is skipped.
    """
    material = material or Material.at_hand()
    readable = ("picture",) if model.modality == "vision" else ("token", "text")
    asked = (
        list(names) if names is not None else [n for n, one in PROPERTIES.items() if one.level in readable]
    )
    probes: dict[str, dict[str, Probe]] = {}
    skipped: dict[str, str] = {}
    rows = labelled_rows(model, layer, asked, material, encode=encode, random_state=random_state)
    for one in track(rows, f"probing {layer}", total=len(asked)):
        if not isinstance(one, Labelled):
            skipped[one[0]] = one[1]
            continue
        try:
            probes[one.asked.name] = {
                pooling: probe(
                    examples,
                    most=most,
                    optimal=optimal and i == 0,
                    seconds=seconds,
                    gamma=gamma,
                    controls=i == 0,
                    parts=one.parts,
                    n_draws=n_draws,
                    random_state=random_state,
                )
                for i, (pooling, examples) in enumerate(one.examples.items())
            }
        except UserError as error:
            skipped[one.asked.name] = first_line(error)
    if not probes:
        name, reason = next(iter(skipped.items()))
        raise UserError(f"no property could be probed; {name}: {reason}")
    first = {name: next(iter(each.values())) for name, each in probes.items()}
    n_units = next(iter(first.values())).n_units
    shown = {name: one.adaptive for name, one in first.items() if one.is_shown}
    ordered = {name: probes[name] for name in asked if name in probes}
    return LayerProbes(
        layer, n_units, ordered, skipped, fingerprint(shown, n_units, random_state=random_state)
    )


def _plain(one: Probe) -> dict[str, Any]:
    fewest = needed(one.adaptive)
    return {
        "n_train": one.n_train,
        "n_test": one.n_test,
        "n_documents": list(one.n_documents),
        "shown": one.is_shown,
        "mean_difference": [_point(point, one) for point in one.ranked],
        "adaptive": [_point(point, one) for point in one.adaptive],
        "random": [{"k": draws[0].k, "f1": _mean(draws), "n_draws": len(draws)} for draws in one.random],
        "rotated": [{"k": draws[0].k, "f1": _mean(draws), "n_draws": len(draws)} for draws in one.rotated],
        "trivial_f1": one.trivial,
        "token_table": asdict(one.table) if one.table else None,
        "rules": {"units": one.rules.units.tolist()}
        | {name: asdict(getattr(one.rules, name)) for name in ("single", "union", "conjunction")},
        "pruned": [{"units": point.units.tolist(), "f1": point.scores.f1} for point in one.pruned],
        "needed": {"k": fewest.k, "gap": fewest.gap, "auroc_of_all": fewest.all_units},
        "optimal": [_optimal(point) for point in one.optimal],
    }


def _point(point: Point, of: Probe) -> dict[str, Any]:
    units = point.units.tolist() if point.k < of.n_units else []
    said = {"k": point.k, "units": units, **asdict(point.scores), "shown": of.shows(point)}
    return said | {"intervals": {name: list(one) for name, one in point.intervals.items()}}


def _optimal(one: OptimalPoint) -> dict[str, Any]:
    certificate = one.certificate
    return {
        "k": one.point.k,
        "units": one.point.units.tolist(),
        **asdict(one.point.scores),
        "objective": certificate.objective,
        "bound": certificate.bound,
        "gap": certificate.gap,
        "cuts": certificate.n_cuts,
        "seconds": certificate.seconds,
        "gamma": certificate.gamma,
        "adaptive_objective": one.adaptive_objective,
        "means": "optimal for the filtered, regularised problem up to its gap",
    }


def _mean(draws: Sequence[Point]) -> float:
    return float(np.mean([point.scores.f1 for point in draws]))
