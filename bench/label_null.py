"""Moran's I of a contrast's map against maps of permuted labels."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..analysis.clustering import morans_i_of_maps
from ..analysis.resampling import benjamini_hochberg, p_value, permutations
from .contrasts import Options, map_again
from .layouts import weights_for
from .tissue import Tissue, means

Floats = npt.NDArray[np.float64]

_Q = 0.05
_LABELLINGS, _FEW_LABELLINGS, _LARGE = 199, 49, 2_000_000
"""Permuted labels: fewer for responses of more numbers."""


def labels_permuted(
    tissue: Tissue,
    names: list[str],
    tables: Mapping[str, pd.DataFrame],
    observed: Mapping[str, Mapping[str, float]],
    places: Any,
    options: Options,
) -> dict[str, Any]:
    """Moran's I of maps made with permuted labels: what any labelling gives, with smooth noise or smooth tuning.

    Units that lie together and answer alike give a clustered map for any contrast. Labels of stimuli are permuted where
    stimuli are the samples, else those of presentations within runs.
    """
    weights, reach = weights_for(places, options)
    n = min(_LABELLINGS if tissue.responses.size < _LARGE else _FEW_LABELLINGS, options.permutations)
    whole, blocks = tissue, tissue.blocks
    if tissue.samples == "stimuli":
        ids, first = np.unique(tissue.stimulus_ids.astype(str), return_index=True)
        whole = replace(
            tissue, responses=means(tissue), labels=tissue.labels[first], stimulus_ids=ids.astype(object)
        )
        blocks = None
    orders = permutations(
        len(whole.labels),
        n,
        random_state=options.random_state,
        blocks=None if blocks is None else blocks.astype(str),
    )
    null: dict[str, list[float]] = {name: [] for name in names}
    for order in orders:
        shuffled = replace(whole, labels=whole.labels[order], samples="trials")
        maps = np.stack([map_again(shuffled, name, tables[name]) for name in names])
        varying = np.flatnonzero(maps.std(axis=1) > 0)
        values = morans_i_of_maps(
            maps[varying], places, weights, 0, reach=reach, fwhm=options.fwhm, islands="keep"
        )["I"]  # fmt: skip
        for i, value in zip(varying, values, strict=True):
            null[names[i]].append(float(value))
    found: dict[str, dict[str, Any]] = {}
    for name, drawn in null.items():
        known = np.array(drawn)
        found[name] = {
            "null_mean": float(known.mean()),
            "null_sd": float(known.std(ddof=1)),
            "z": float((observed[name]["I"] - known.mean()) / known.std(ddof=1)),
            "p": p_value(observed[name]["I"], known),
        }
    for name, q in zip(found, benjamini_hochberg([one["p"] for one in found.values()]), strict=True):
        found[name] |= {"q": float(q), "verdict": "more than" if q < _Q else "like"}
    n_blocks = 1 if blocks is None else len(set(blocks.tolist()))
    within = f" within {n_blocks} runs or repetitions" if n_blocks > 1 else ""
    what = "stimuli" if tissue.samples == "stimuli" else "presentations"
    return {"contrasts": found, "permuted": f"the labels of {what}{within}, {n} times"}
