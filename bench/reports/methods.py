"""The methods of a comparison in words, and what a reader must be warned of, written from the records' provenance."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ..bibliography import joined
from ..metrics.registries import CEILING_KINDS, METRICS, NORMALIZATIONS, words

Record = Mapping[str, Any]


def methods(records: Sequence[Record]) -> list[str]:
    """A paragraph a benchmark: data, metric, folds, ceiling, formula, interval, p, seed; and one on versions.

    Parameters
    ----------
    records : sequence of mapping
        As the results store keeps them.
    """
    said = []
    for benchmark, members in groupby(
        sorted(records, key=lambda one: one["benchmark"]), key=lambda one: one["benchmark"]
    ):
        said.append(_of_benchmark(str(benchmark), list(members)))
    versions = sorted({_versions(one) for one in records})
    said.append("Software: " + "; or ".join(versions) + ".")
    return said


def warnings(records: Sequence[Record], notes: Sequence[str] = ()) -> list[str]:
    """What was left out, what was simulated, what does not belong together.

    Parameters
    ----------
    records : sequence of mapping
    notes : sequence of str
        What reading the runs passed over.
    """
    found = list(notes)
    for one in records:
        for reason, count in one["left_out"].items():
            found.append(f"{one['benchmark']}, {one['model']}: {count} {reason} left out")
        if one["p"] is None:
            why = str(one["methods"].get("p", ""))
            said = f"p {why}" if why.startswith("none") else "no p value was asked for"
            found.append(f"{one['benchmark']}, {one['model']}: {said}")
        if one["ci"][0] is None or one["ci"][1] is None:
            why = str(one["methods"].get("interval", ""))
            said = f"interval {why}" if why.startswith("none") else "no interval was asked for"
            found.append(f"{one['benchmark']}, {one['model']}: {said}")
        if one["ceiling"] is None:
            found.append(f"{one['benchmark']}: no ceiling, scores are raw values")
    simulated = sorted({one["benchmark"] for one in records if one["simulated"]})
    if simulated:
        found.append(f"SIMULATED data, made by a program: {', '.join(simulated)}")
    for benchmark, members in groupby(
        sorted(records, key=lambda one: one["benchmark"]), key=lambda one: one["benchmark"]
    ):
        known = list(members)
        for what, values in {
            "versions of the benchmark": {one["benchmark_version"] for one in known},
            "versions of the code": {one["provenance"]["code"] for one in known},
            "recordings": {one["provenance"].get("data_digest") for one in known},
            "seeds": {one["provenance"].get("seed") for one in known},
        }.items():
            if len(values) > 1:
                found.append(
                    f"{benchmark}: the scores stand on {len(values)} different {what}; score them again together"
                )
    return sorted(set(found))


def citations(records: Sequence[Record]) -> str:
    """The BibTeX of all data, every entry once."""
    return joined(one["bibtex"] for one in records)


def _of_benchmark(benchmark: str, members: Sequence[Record]) -> str:
    one = members[0]
    how = one["methods"]
    n = f"{one['n_stimuli']} stimuli" + (f" and {one['n_neuroids']} neuroids" if one["n_neuroids"] else "")
    parts = [
        f"{benchmark} (version {one['benchmark_version']}): {'simulated ' if one['simulated'] else ''}data set "
        f"{one['dataset']}, region {one['region']}, {n}, metric {one['metric']}."
    ]
    if one["metric"] in METRICS:
        parts.append(_sentence(words(METRICS, one["metric"])))
        parts.append(f"Raw value: {words(METRICS, one['metric'], 'formula')}.")
    details = [
        f"{key.replace('_', ' ')}: {_plain(value)}"
        for key, value in how.items()
        if key not in ("interval", "p", "seed") and not key.startswith("beyond")
    ]
    if details:
        parts.append(f"Settings: {'; '.join(details)}.")
    if one["ceiling"] is not None:
        bounds = ""
        if one["ceiling_lower"] is not None:
            bounds = f" (bounds {one['ceiling_lower']:.3f} to {one['ceiling_upper']:.3f})"
        kind = words(CEILING_KINDS, one["ceiling_kind"])
        parts.append(
            f"The ceiling is of the kind {one['ceiling_kind']}, {one['ceiling']:.3f}{bounds}: {kind}."
        )
    parts.append(f"The score is {words(NORMALIZATIONS, one['normalization'])}.")
    parts.append("The layer was chosen on training stimuli and is reported on held-out ones.")
    if how.get("interval"):
        parts.append(f"Intervals: {how['interval']}.")
    if how.get("p"):
        parts.append(f"p: {how['p']}.")
    parts += _beyond(members)
    seeds = sorted({str(member["provenance"].get("seed")) for member in members})
    parts.append(f"Seed {', '.join(seeds)}.")
    return " ".join(parts)


def _beyond(members: Sequence[Record]) -> list[str]:
    """What was done to see what models add to nuisance spaces; one sentence a list of spaces."""
    said = []
    for one in members:
        if one.get("beyond") is not None:
            how, spaces = one["methods"], " and ".join(one["beyond_spaces"])
            p = f"; p: {how['beyond_p']}" if "beyond_p" in how else ""
            said.append(f"Beyond {spaces}: {how['beyond']}; interval as above{p}.")
    return list(dict.fromkeys(said))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _versions(record: Record) -> str:
    known = record["provenance"]["versions"]
    return ", ".join(f"{name} {version}" for name, version in known.items() if name != "platform")


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        if len(value) > 6 and all(isinstance(one, (int, float)) for one in value):
            return f"{len(value)} from {value[0]:.2g} to {value[-1]:.2g}"
        return ", ".join(map(str, value))
    return str(value)
