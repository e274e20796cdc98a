"""The methods of a comparison in words, and what a reader must be warned of, written from the records' provenance."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ..bibliography import joined
from ..metrics.registries import CEILING_KINDS, METRICS, NORMALIZATIONS, words
from ..results.in_time import TOLD, in_time, making, of_samples

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
            "versions of the metric's code": {_metric_code(one) for one in known} - {None},
            "recordings": {one["provenance"].get("data_digest") for one in known},
            "seeds": {one["provenance"].get("seed") for one in known},
        }.items():
            if len(values) > 1:
                found.append(
                    f"{benchmark}: the scores stand on {len(values)} different {what}; score them again together"
                )
    return sorted(set(found))


def _metric_code(record: Record) -> Any:
    """The digest of the code that all models share; None in older records, which have that of the models with it."""
    return record["provenance"].get("metric_code")


def citations(records: Sequence[Record]) -> str:
    """The BibTeX of all data, every entry once."""
    return joined(one["bibtex"] for one in records)


def _of_benchmark(benchmark: str, members: Sequence[Record]) -> str:
    one = members[0]
    what = [of_samples(_range([member["n_stimuli"] for member in members], "stimuli"), one)]
    what += [_range([member["n_neuroids"] for member in members], "neuroids")] if one["n_neuroids"] else []
    named = (
        f"{benchmark} (version {one['benchmark_version']}) compares models with the region {one['region']} of the "
        f"{'simulated ' if one['simulated'] else ''}data set {one['dataset']} ({' and '.join(what)}) by the metric "
        f"{one['metric']}."
    )
    said = []
    if one["metric"] in METRICS:
        said.append(_sentence(words(METRICS, one["metric"])))
        formula = words(METRICS, one["metric"], "formula")
        symbols = "(" in formula.split()[0] or "'" in formula.split()[0]
        said.append(f"The raw value is {'' if symbols else 'the '}{formula}.")
    said += [*dict.fromkeys(filter(None, map(making, members))), *_settings(members), _ceiling(one)]
    said.append(f"The score is {_score(one)}.")
    if any(len(member["layers"]) > 1 for member in members):
        said.append("Of several layers the one that counts was chosen on training stimuli.")
    for key, title in (("interval", "Intervals"), ("p", "p")):
        how = dict.fromkeys(str(member["methods"][key]) for member in members if member["methods"].get(key))
        if how:
            said.append(f"{title}: {'; or '.join(how)}.")
    said += _beyond(members)
    seeds = sorted({str(member["provenance"].get("seed")) for member in members})
    said.append(f"Seed {', '.join(seeds)}.")
    return " ".join([named, *(of_samples(sentence, one) for sentence in said)])


def _settings(members: Sequence[Record]) -> list[str]:
    """What was done alike for all models, and what was done otherwise for some, in two sentences."""
    alike, apart = [], []
    for key in dict.fromkeys(key for one in members for key in one["methods"]):
        if key in ("interval", "p", "seed", "ceiling") or key.startswith("beyond"):
            continue
        if key in TOLD and in_time(members[0]):
            continue
        models: dict[str, list[str]] = {}
        for one in members:
            models.setdefault(_plain(one["methods"].get(key)), []).append(str(one["model"]))
        name = key.replace("_", " ")
        if len(models) == 1:
            alike += [f"{name}: {value}" for value in models if value]
        elif all(isinstance(one["methods"].get(key), (str, type(None))) for one in members):
            apart += [f"{name}: {value} ({', '.join(who)})" for value, who in models.items() if value]
    said = [f"Settings: {'; '.join(alike)}."] if alike else []
    return said + ([f"By model: {'; '.join(apart)}."] if apart else [])


def _ceiling(record: Record) -> str:
    if record["ceiling"] is None:
        why = str(record["methods"].get("ceiling", "")).removeprefix("none: ")
        return f"There is no noise ceiling{f' ({why})' if why else ''}."
    low, high = record["ceiling_lower"], record["ceiling_upper"]
    bounds = "" if low is None or high is None else f" (bounds {low:.3f} to {high:.3f})"
    kind = words(CEILING_KINDS, record["ceiling_kind"])
    return f"The noise ceiling, {record['ceiling']:.3f}{bounds}, is {kind}."


def _score(record: Record) -> str:
    """The formula; of a best r that was published nothing is the root of a reliability."""
    name = record["normalization"]
    of_roots = record["ceiling_kind"] == "r_max" and name == "ratio_of_medians"
    return words(NORMALIZATIONS, "r_over_r_max" if of_roots else name)


def _range(counts: Sequence[int], what: str) -> str:
    low, high = min(counts), max(counts)
    return f"{low} {what}" if low == high else f"{low} to {high} {what}"


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
    """A value in words; empty for none."""
    if value is None or value == "" or value == [] or value == {}:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, (list, tuple)):
        if len(value) > 6 and all(isinstance(one, (int, float)) for one in value):
            return f"{len(value)} from {value[0]:.2g} to {value[-1]:.2g}"
        return ", ".join(map(_plain, value))
    return " ".join(str(value).split())
