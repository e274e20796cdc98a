"""Topics of important units as a person asks for them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ...analysis.interpretability.lenses import topics as by
from ...analysis.interpretability.lenses.importance import gradient_importance
from ...analysis.spatial.spatial_weights import SpatialWeights
from ...brain_data.stimuli.localizers import localizer
from ...errors import UserError
from .common import say

if TYPE_CHECKING:
    from ...models.extraction.language_model import LanguageModel
    from ...models.sheet import Sheet

_SHARE = 0.5
"""Of the units, the most important ones, take part in clusters."""


def topics_of(
    model: "LanguageModel", layer: str, dictionary: Any, source: str, sheet: "Sheet | None", seed: int
) -> dict[str, Any]:
    """Clusters of units by the texts that they matter for, their topics, and their place on the sheet."""
    from ...models.extraction.language_model import text_of

    stimuli = localizer(source)
    encoder = model._encoder("last")
    ids = [np.asarray(encoder.tokens("", one).ids, np.intp) for one in text_of(stimuli)]
    if model.max_tokens:
        ids = [one[-model.max_tokens :] for one in ids]
    found = gradient_importance(model, layer, ids, dictionary=dictionary, seed=seed)
    labels = stimuli["category"].to_numpy()[found.texts]
    lengths = np.array([len(ids[i]) for i in found.texts])
    shares = by.scaled_rows(found.importance.T)
    mean = found.importance.mean(axis=0)
    important = (
        np.flatnonzero(mean >= np.quantile(mean, 1 - _SHARE)) if len(mean) > 4 else np.arange(len(mean))
    )
    if len(important) < 3:
        raise UserError(f"layer {layer!r} has {len(important)} units that matter: too few for clusters")
    n_parts, errors = by.number_of_parts(shares[important], seed=seed)
    clusters = by.ward_clusters(shares[important], n_parts)
    blocks = np.searchsorted(np.quantile(lengths, [0.25, 0.5, 0.75]), lengths)
    topics = by.topic_enrichment(shares[important], clusters, labels, seed=seed, blocks=blocks)
    result: dict[str, Any] = {
        "source": source,
        "n_texts": len(labels),
        "n_units": len(important),
        "n_clusters": n_parts,
        "held_out_error": {str(k): error for k, error in errors.items()},
        "rows": topics.to_dict("records"),
        "sheet": None,
    }
    if sheet is not None and len(sheet) == len(mean):
        weights = SpatialWeights.from_positions(sheet.positions[important], isolates="keep")
        table = by.cluster_contiguity(clusters, weights, seed=seed)
        result["sheet"] = {**table.attrs, "rows": table.to_dict("records")}
    return result


def say_topics(found: dict[str, Any]) -> None:
    """Print the tables."""
    from .terminal import table

    table(
        f"{found['n_clusters']} clusters of the {found['n_units']} most important units, topics of {found['n_texts']} "
        "texts (labels dealt anew among texts of about one length)",
        ("cluster", "topic", "units", "z of its share", "p", "q", "log-odds"),
        [
            (
                str(one["cluster"]), str(one["topic"]), str(one["n_units"]), f"{one['z']:+.1f}", f"{one['p']:.2g}",
                f"{one['q']:.2g}", f"{one['log_odds']:+.2f}",
            )
            for one in found["rows"]
        ],
    )  # fmt: skip
    sheet = found["sheet"]
    if sheet is None:
        say("no sheet: whether clusters lie together is not asked")
        return
    table(
        f"neighbours of one cluster on the sheet, {sheet['draws']} permuted layouts; all clusters: p {sheet['p']:.2g}",
        ("cluster", "units", "joins", "expected", "p", "q"),
        [
            (
                str(one["cluster"]), str(one["n_units"]), f"{one['joins']:.0f}", f"{one['expected']:.1f}",
                f"{one['p']:.2g}", f"{one['q']:.2g}",
            )
            for one in sheet["rows"]
        ],
    )  # fmt: skip
