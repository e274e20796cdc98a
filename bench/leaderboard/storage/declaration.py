"""What whoever runs a board says of a benchmark, found from the data themselves or from a run of one's own."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ....errors import UserError
from ....files import digest_of
from ...benchmark import Benchmark, benchmark_card, is_published, load_benchmark
from ...metrics.base import ScoringOptions
from ...metrics.registries import CEILING_KINDS, METRICS, NORMALIZATIONS
from ...results.field_types import Count, Digest, Domain, Finite, Identifier, Line, Part, Text
from ...results.record import Version
from ..submission.errors import Refused
from .models import CURRENT, DeclarationRow
from .regions import place_of

PUBLISHED = "as published"
_UNITS = 16
_DIGITS = 7
_EXACT = 1e-6
NOTHING_PERFECT = 0.95
"""Share of the greatest raw value that no model of recordings without a ceiling is believed to reach unseen."""


class Declaration(Part):
    """A version of a benchmark, as a board believes it.

    ``bound`` is the best raw value that the data allow; ``place`` the regions that it lies in, the largest first;
    ``aggregate`` says how a raw score follows from its neuroids, where that is exact.
    """

    benchmark: Identifier
    version: Version
    origin: Literal["data", "run", "published", "brainscore"] = "data"
    domain: Domain
    dataset: Line = ""
    region: Line = ""
    place: list[Line] = Field([], max_length=5)
    metric: Line = ""
    simulated: bool = False
    normalization: Line = ""
    scale: Line = ""
    unit: Line = ""
    ceiling: Finite | None = None
    ceiling_kind: Line = "none"
    ceiling_lower: Finite | None = None
    ceiling_upper: Finite | None = None
    ceiling_digest: Line = ""
    bound: Finite | None = None
    aggregate: Literal["medians", "mean", ""] = ""
    n_values: Count = 0
    n_stimuli: Count = 0
    n_neuroids: Count = 0
    n_subjects: Count | None = None
    data_digest: Digest | Literal[""] = ""
    description: Text = ""
    license: Line = ""
    citation: Text = ""

    @property
    def checked(self) -> bool:
        """Whether submissions can be held against it; what was published elsewhere has nothing to be held against."""
        return self.origin in ("data", "run")


Arrays = Mapping[str, list[Any]]


def declaration_of(identifier: str) -> tuple[Declaration, dict[str, list[Any]]]:
    """The declaration of a benchmark whose data are installed: its ceiling, and what its metric keeps of them.

    The metric compares random features with the recording; what does not depend on the model is kept of its answer.

    Raises
    ------
    UserError
        For an unknown benchmark, data that are not installed, or data without stimuli, on which no model is scored.
    """
    if not is_published(identifier):
        raise UserError(f"{identifier}: a benchmark with other folds is not declared on a board")
    loaded = load_benchmark(identifier)
    return declaration_of_record(*_measured(loaded), origin="data")


def _measured(loaded: Benchmark) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    from ...layer_comparison import SURPRISAL, reads_surprisal
    from ...results.as_score import neuroid_arrays
    from ...scoring import n_subjects

    card, recorded, ceiling = loaded.card, loaded.recording, loaded.noise_ceiling
    if not loaded.dataset.has_stimuli:
        raise UserError(
            f"{card.identifier}: {card.dataset} came without its stimuli, so that no model is scored on it"
        )
    width = _UNITS if recorded.series is None else _UNITS * len(recorded.series.delays)
    width = 1 if reads_surprisal(loaded) else width
    features = np.random.default_rng(0).normal(size=(recorded.n_stimuli, width))
    name = SURPRISAL if reads_surprisal(loaded) else "random"
    found = loaded.metric.evaluate({name: features}, recorded, ceiling, ScoringOptions(0, 0, 0))
    record = {
        "benchmark": card.identifier,
        "benchmark_version": card.version,
        "modality": card.modality,
        **{name: getattr(card, name) for name in ("dataset", "region", "metric", "simulated")},
        **{
            name: getattr(found, name) for name in ("normalization", "unit", "n_stimuli", "n_neuroids", "raw")
        },
        "ceiling": ceiling.value,
        "ceiling_kind": ceiling.kind,
        "ceiling_lower": ceiling.lower,
        "ceiling_upper": ceiling.upper,
        "n_subjects": n_subjects(loaded),
        "data_digest": loaded.dataset.digest,
        "license": loaded.dataset.license,
        "bibtex": loaded.dataset.bibtex,
    }
    arrays: dict[str, npt.NDArray[Any]] = {"raw": found.per_unit}
    if ceiling.per_neuroid is not None:
        arrays["ceiling"] = ceiling.per_neuroid
    if found.unit == "neuroid":
        arrays |= neuroid_arrays(recorded.neuroids)
    return record, arrays


def declaration_of_record(
    record: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    *,
    origin: Literal["data", "run"] = "run",
) -> tuple[Declaration, dict[str, list[Any]]]:
    """The declaration that a score of one's own stands on, e.g. of a version whose data are no longer at hand."""
    raw, limits = np.asarray(arrays["raw"], float), _listed(arrays.get("ceiling", np.empty(0)))
    subjects = arrays.get("neuroid_subject", np.empty(0))
    kept = {
        "ceiling": limits,
        "kept": np.isfinite(raw).tolist(),
        "subject": [str(one) for one in subjects] if len(set(subjects.tolist())) > 1 else [],
    }
    kind, ceiling = record["ceiling_kind"], _finite(record["ceiling"])
    try:
        description = benchmark_card(record["benchmark"]).description
    except UserError:
        description = ""
    said = Declaration(
        benchmark=record["benchmark"],
        version=record["benchmark_version"],
        origin=origin,
        domain=record["modality"],
        place=place_of(record["modality"], record["region"]),
        **{
            name: record[name]
            for name in ("dataset", "region", "metric", "simulated", "normalization", "unit")
        },
        scale=scale_of(record["normalization"], kind, record["metric"]),
        ceiling=ceiling,
        ceiling_kind=kind,
        ceiling_lower=_finite(record["ceiling_lower"]),
        ceiling_upper=_finite(record["ceiling_upper"]),
        ceiling_digest=digest_of(limits) if limits else "",
        bound=_bound(record["metric"], kind, ceiling, _finite(record["ceiling_upper"])),
        aggregate=_aggregate(raw, kept["subject"], _finite(record["raw"])),
        n_values=len(raw),
        **{name: record[name] for name in ("n_stimuli", "n_neuroids", "n_subjects")},
        data_digest=record.get("data_digest") or record["provenance"]["data_digest"],
        description=description,
        license=record["license"],
        citation=record["bibtex"],
    )
    return said, kept


def scale_of(normalization: str, ceiling_kind: str, metric: str) -> str:
    """What a headline is a share of: only headlines of one scale are averaged, or coloured as one.

    Found by asking the formula: whether half the raw value is half the score, or a quarter of it.
    """
    formula, ceiled = NORMALIZATIONS.get(normalization), ceiling_kind != "none"
    if formula is None:
        return normalization
    if not ceiled and not formula.chance:
        known = METRICS.get(metric)
        return f"{known.axis if known is not None else metric}, without a ceiling"
    if formula.chance:
        return "above chance, of the ceiling" if ceiled else "above chance, without a ceiling"
    least, most = (float(formula(np.array([[r]]), np.array(1.0))) for r in (0.25, 0.5))
    power = math.log2(most / least) if least > 0 and most > 0 else math.nan
    for known_power, said in ((1, "r"), (2, "r²")):
        if abs(power - known_power) < _EXACT:
            return f"{said}, of the ceiling"
    return f"{normalization}, of the ceiling"


def current(instance: Any) -> tuple[Declaration, Arrays] | None:
    """What was declared of a version of a benchmark; None where nobody did."""
    found = DeclarationRow.get_or_none(DeclarationRow.instance == instance, DeclarationRow.state == CURRENT)
    return None if found is None else (Declaration.model_validate(found.card), found.arrays)


def moved(declaration: Declaration, place: str) -> Declaration:
    """The same, in other regions: ``"language network/netw"``."""
    path = [part.strip() for part in place.split("/") if part.strip()]
    if not path or len(path) > 5:
        raise Refused(f"a place is one to five regions, the largest first, such as IT/hIT, not {place!r}")
    return Declaration.model_validate(declaration.model_dump() | {"place": path, "region": path[-1]})


def with_bound(declaration: Declaration, bound: float) -> Declaration:
    """The same, with another best raw value that the data allow."""
    if not math.isfinite(bound):
        raise Refused(f"the best raw value must be a number, not {bound}")
    return Declaration.model_validate(declaration.model_dump() | {"bound": bound})


def _bound(metric: str, kind: str, ceiling: float | None, upper: float | None) -> float:
    best = getattr(METRICS.get(metric), "bounds", (-1.0, 1.0))[1]
    if ceiling is None:
        return float(NOTHING_PERFECT * best)
    known = CEILING_KINDS.get(kind)
    allowed = ceiling if known is None else known.best(ceiling)
    return float(min(max(allowed, upper or 0.0), best))


def _aggregate(
    raw: npt.NDArray[Any], subjects: list[str], said: float | None
) -> Literal["medians", "mean", ""]:
    names: tuple[Literal["medians", "mean"], ...] = ("medians", "mean")
    for name in names:
        value = aggregated(name, raw, subjects)
        if said is not None and value is not None and abs(value - said) < _EXACT:
            return name
    return ""


def aggregated(name: str, raw: npt.NDArray[Any], subjects: list[str]) -> float | None:
    """The raw score of values of neuroids: their mean, or the mean over subjects of their medians."""
    known = np.isfinite(raw)
    if not known.any():
        return None
    if name == "mean":
        return float(raw[known].mean())
    of = np.array(subjects or [""] * len(raw))
    if len(of) != len(raw):
        return None
    return float(np.mean([np.median(raw[known & (of == one)]) for one in dict.fromkeys(of[known])]))


def _listed(values: npt.NDArray[Any]) -> list[float | None]:
    return [
        float(f"{one:.{_DIGITS}g}") if math.isfinite(one) else None for one in values.astype(float).tolist()
    ]


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
