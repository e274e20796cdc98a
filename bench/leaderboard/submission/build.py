"""From stored results to a submission: records, arrays and layout reports, with a card for every model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ....analysis.statistics.replicates import Replicates
from ....errors import UserError, unknown
from ....files import read_toml
from ...benchmark import is_published
from ...reports.collect import Comparison, compare, maps_of
from ...results.card import Card
from ...results.record import public
from ...score_key import BRAIN
from .schema import FORMAT, digest_of_document

_DIGITS = 7
_MOST_INFLUENCES = 20_000
"""Numbers of a table of neuroids by groups of stimuli, above which it is not sent: about 180 kB of text."""
_CARD_FIELDS = set(Card.model_fields) - {"identifier", "domain"}


def gathered(
    runs: Sequence[str | Path], *, cards: Path | None = None, title: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """A submission made of what lies in runs.

    Parameters
    ----------
    runs : sequence of str or Path
        Names of runs, folders of records, folders that ``brodmann analyze`` filled.
    cards : Path, optional
        A TOML file with a table a model; its entries win over what is known.
    title : str

    Returns
    -------
    document : dict
        JSON-able; see :class:`~brodmann.bench.leaderboard.submission.schema.Submission`.
    notes : list of str
        What was left out, and why.

    Raises
    ------
    UserError
        Where nothing can be submitted.
    """
    return document_of(compare(list(runs)), cards=cards, title=title)


def document_of(
    found: Comparison, *, cards: Path | None = None, title: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """The same of what was read already.

    Parameters
    ----------
    found : Comparison
    cards, title
        See :func:`gathered`.
    """
    if not found.records:
        raise UserError(
            "there are no scores to submit: make some with brodmann score MODEL BENCHMARK --run NAME"
        )
    notes = list(found.notes)
    records, arrays = [], []
    for record, values in zip(found.records, found.arrays, strict=True):
        if record["model"] == BRAIN:
            notes.append(
                f"{record['benchmark']}: decoded from the brain itself, which is not a model: left out"
            )
        elif not is_published(record["benchmark"]):
            notes.append(
                f"{record['model']} on {record['benchmark']}: other folds than the benchmark's make another benchmark: "
                "left out"
            )
        elif record["score"] is None or record["raw"] is None:
            notes.append(f"{record['model']} on {record['benchmark']} has no finite score: left out")
        else:
            records.append(record)
            arrays.append(values)
    if not records:
        raise UserError("there is nothing to submit: " + "; ".join(notes))
    if found.twins or found.partitions:
        notes.append("studies of twins and variance partitions are not part of a submission: left out")
    if found.over_time:
        notes.append("scores over time are not part of a submission: left out")
    own = _own_cards(cards)
    document: dict[str, Any] = {
        "format": FORMAT,
        "title": title,
        "models": _cards(records, own),
        "scores": [_score(*pair) for pair in zip(records, arrays, strict=True)],
        "layouts": _layouts(found, {record["model"] for record in records}, notes),
    }
    stray = sorted(set(own) - {card["identifier"] for card in document["models"]})
    if stray:
        raise unknown(
            "model in the file of cards", stray[0], [one["identifier"] for one in document["models"]]
        )
    return document | {"digest": digest_of_document(document)}, notes


def submission_of_one(record: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """A submission of one score."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "title": "",
        "models": _cards([record], {}),
        "scores": [_score(record, arrays)],
        "layouts": [],
    }
    return document | {"digest": digest_of_document(document)}


def _cards(
    records: Sequence[Mapping[str, Any]], own: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    from ....models.catalogue import MODELS

    cards: dict[str, dict[str, Any]] = {}
    for record in records:
        name = record["model"]
        card = cards.setdefault(name, {"identifier": name, "domain": record["modality"]})
        card |= record["model_facts"]
        if name in MODELS:
            known = MODELS[name].card
            card |= {"title": known.title, "license": known.license, "citation": known.bibtex}
            if known.source.startswith("https://"):
                card["url"] = known.source
    return [{**card, **own.get(name, {})} for name, card in cards.items()]


def _own_cards(path: Path | None) -> dict[str, dict[str, Any]]:
    if path is None:
        return {}
    content = read_toml(path)
    for name, entry in content.items():
        if not isinstance(entry, dict):
            raise UserError(f'{path}: {name!r} stands outside a card: begin with a line ["MODEL"]')
        for field in entry:
            if field not in _CARD_FIELDS:
                raise unknown(f"entry of the card of {name}", field, _CARD_FIELDS)
    return content


def _score(record: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    return public(record) | {
        "layers": {name: value for name, value in record["layers"].items() if value is not None},
        "raw_values": _rounded(arrays["raw"]),
        "ceiling_values": _rounded(arrays.get("ceiling", np.empty(0))),
        "draws": _draws(_number(record["score"]), arrays),
    }


def _draws(score: float, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any] | None:
    """What the interval was made of; without the influences of neuroids where they are too many."""
    kept = Replicates.of(score, arrays)
    if kept is None:
        drawn = _rounded(arrays.get("draws", np.empty(0)))
        return {"kind": "draws", "n": len(drawn), "samples": drawn} if drawn and None not in drawn else None
    parts = {name: getattr(kept, name) for name in ("samples", "subjects", "both", "units", "crossed")}
    sent: dict[str, Any] = {
        name: [_rounded(row) for row in values] if values.ndim > 1 else _rounded(values)
        for name, values in parts.items()
        if np.isfinite(values).all() and values.size <= _MOST_INFLUENCES
    }
    return {"kind": kept.kind, "n": kept.n_samples} | sent if sent.get("samples") else None


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _rounded(values: npt.NDArray[Any]) -> list[float | None]:
    """With 7 digits; None for what is not there."""
    return [
        float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
        for value in values.astype(float).tolist()
    ]


def _layouts(found: Comparison, models: set[str], notes: list[str]) -> list[dict[str, Any]]:
    layouts = []
    for report in found.layouts:
        if report["model"] not in models:
            notes.append(f"the layout of {report['model']} {report['layer']}: it has no score here: left out")
            continue
        layouts.append(_layout(report, maps_of(report)))
    return layouts


def _layout(report: Mapping[str, Any], maps: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    size, made = report["dimensionality"], report["provenance"]
    layout: dict[str, Any] = {
        "model": report["model"],
        "layer": report["layer"],
        "model_digest": made["model"],
        "code_digest": made["code"],
        "stimuli": str(report.get("stimuli", "")),
        "n_units": report["n_units"],
        "participation_ratio": size["participation_ratio"],
        "corrected": size["corrected"],
        "interval": size["interval"],
        "n_samples": size["n_samples"],
    }
    space = report.get("space")
    if not space:
        return layout
    own = space["layouts"][space["layout"]]
    layout |= {"weights": own["weights"], "permutations": space["permutations"], "clustering": []}
    for contrast, found in own["morans_i"].items():
        smooth = space["contrasts"].get(contrast, {}).get("smoothness", {})
        layout["clustering"].append(
            {
                "contrast": contrast,
                "morans_i": found["I"],
                "null_mean": found["null_mean"],
                "null_sd": found["null_sd"],
                "p": found["p"],
                "smoothness": smooth.get("value"),
                "smoothness_null": smooth.get("null_mean"),
                "fraction_selective": report["selectivity"][contrast]["fraction_selective"],
                "map": _map(maps, space["layout"], contrast),
            }
        )
    return layout


def _map(maps: Mapping[str, npt.NDArray[Any]], layout: str, contrast: str) -> dict[str, Any] | None:
    """The t map on its grid, where its positions are a grid of cells."""
    if not maps:
        return None
    here = (maps["layout"] == layout) & (maps["contrast"] == contrast)
    if not here.any():
        return None
    row = int(np.flatnonzero(here)[0])
    places = maps["positions"][row].astype(float)
    if places.shape[1] != 2:
        return None
    steps = [np.unique(np.round(places[:, axis], 6), return_inverse=True) for axis in (1, 0)]
    (ys, rows), (xs, columns) = steps
    if len(ys) > 128 or len(xs) > 128 or len(ys) * len(xs) > 4 * len(places):
        return None
    cells: list[float | None] = [None] * (len(ys) * len(xs))
    for y, x, value in zip(rows.tolist(), columns.tolist(), maps["t"][row].tolist(), strict=True):
        cells[y * len(xs) + x] = float(f"{value:.4g}")
    return {"rows": len(ys), "columns": len(xs), "values": cells}
