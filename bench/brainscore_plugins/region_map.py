"""Which layer stands for which of Brain-Score's regions, by the records of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import UserError
from ..results.record import Record
from .packing import Domain

VISION_REGIONS = {"V1": "V1", "V2": "V2", "V4": "V4", "IT": "IT", "hIT": "IT", "mIT": "IT"}
"""brodmann's region -> Brain-Score's, which knows these four alone."""
LANGUAGE_SYSTEM = "language_system"
LANGUAGE_REGIONS = dict.fromkeys(
    ("language", "language_system", "netw", "AngG", "AntTemp", "IFG", "IFGorb", "MFG", "PostTemp"),
    LANGUAGE_SYSTEM,
)
"""The language network as a whole and its regions; Brain-Score knows the whole alone."""
_WHOLE = ("language", "language_system", "netw")
BRAINSCORE_REGIONS: dict[Domain, dict[str, str]] = {"vision": VISION_REGIONS, "language": LANGUAGE_REGIONS}


@dataclass(frozen=True)
class RegionMap:
    """Layers by region.

    Attributes
    ----------
    layers : mapping of str to str
        Brain-Score's region -> layer, as brodmann names it.
    notes : tuple of str
        Where the choice was not plain.
    """

    layers: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def region_map(records: Sequence[Record], domain: Domain) -> RegionMap:
    """The layers that a model's records reported.

    Of several records of a region real recordings go before simulated ones, the whole language network before its
    parts, and then the one with more stimuli.

    Parameters
    ----------
    records : sequence of dict
        Of one model.
    domain : {"vision", "language"}
    """
    known = BRAINSCORE_REGIONS[domain]
    layers: dict[str, str] = {}
    notes: list[str] = []
    for target in dict.fromkeys(known.values()):
        found = sorted((one for one in records if known.get(one["region"]) == target), key=_rank)
        if found:
            layers[target] = found[0]["layer"]
            notes += _doubts(target, found)
    unused = sorted({one["region"] for one in records} - set(known))
    if unused:
        notes.append(
            f"Brain-Score has no region {', '.join(unused)}: these scores name no layer (it knows "
            f"{', '.join(dict.fromkeys(known.values()))})"
        )
    return RegionMap(layers, tuple(notes))


def _rank(record: Record) -> tuple[bool, bool, int, str]:
    part = record["region"] in LANGUAGE_REGIONS and record["region"] not in _WHOLE
    return bool(record["simulated"]), part, -int(record["n_stimuli"]), str(record["benchmark"])


def _doubts(target: str, found: list[Record]) -> list[str]:
    first, notes = found[0], []
    if first["simulated"]:
        notes.append(
            f"the layer of {target} ({first['layer']}) was chosen on simulated data ({first['benchmark']}): score a "
            "real recording of that region before it is submitted"
        )
    others = [one for one in found[1:] if one["layer"] != first["layer"]]
    if others:
        said = ", ".join(f"{one['layer']} ({one['benchmark']}, {one['n_stimuli']} stimuli)" for one in others)
        notes.append(
            f"{target}: {first['layer']} ({first['benchmark']}, {first['n_stimuli']} stimuli) was taken, not {said}"
        )
    return notes


def check_records(records: Sequence[Record], identifier: str, digest: str) -> tuple[str, ...]:
    """Raise a UserError unless the records are scores of this very model; notes on how it was read.

    Parameters
    ----------
    records : sequence of dict
    identifier, digest : str
        Of the loaded model.
    """
    if not records:
        raise UserError(f"the run holds no score of {identifier!r}: score it first with brodmann score")
    other = sorted({str(one["model"]) for one in records} - {identifier})
    if other:
        raise UserError(f"a record is of {other[0]!r}, not of {identifier!r}: give the records of one model")
    notes = []
    for record in records:
        methods = record.get("methods", {})
        if methods.get("lesions"):
            raise UserError(
                f"{record['benchmark']} scored {identifier!r} with lesions, which a plugin cannot carry"
            )
        if methods.get("reading"):
            notes.append(
                f"{record['benchmark']} read its layers by {methods['reading']}; Brain-Score reads every unit, so its "
                "score will differ"
            )
        elif record["provenance"]["model_digest"] != digest:
            raise UserError(
                f"{record['benchmark']} was scored with other weights, or another version of brodmann, than "
                f"{identifier!r} has now: score it again, then export"
            )
    return tuple(dict.fromkeys(notes))
