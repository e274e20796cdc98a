"""The page of a recording: stimuli, coverage, reliability, signal to noise, time, what was left out."""

import base64
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...brain_data.dataset import Dataset
from ...brain_data.text_columns import text_column
from ...errors import UserError
from ...files import file_name, write_bytes
from .html import csv_of, environment
from .recording_figures import axes_of, histograms, maps, presentations, series, thumbnails, time_courses
from .recording_quality import coverage, in_time, quality
from .render import bytes_of_figure
from .style import Style, style_for

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[Style], "Figure"]
_MOST_TEXTS, _MOST_LABELS = 12, 12


def write_recording_report(dataset: Dataset, folder: Path, command: str) -> list[Path]:
    """Write ``recording.html``, which needs nothing else, and ``neuroids.csv``, the measures of every neuroid.

    Parameters
    ----------
    dataset : Dataset
        With responses.
    folder : Path
    command : str
        Shown at the end of the page.

    Returns
    -------
    list of Path
        The page first.

    Raises
    ------
    UserError
        For RDMs alone.
    """
    if dataset.responses is None:
        raise UserError(f"{dataset.identifier} holds RDMs alone: there is no response to report on")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing are NaN
        table = quality(dataset)
        covered = coverage(dataset)
        light, dark = (style_for(dataset.regions, dark=one) for one in (False, True))
        figures: dict[str, list[dict[str, str]]] = {
            one: [] for one in ("stimuli", "coverage", "quality", "time")
        }
        for place, name, caption, draw in _figures(dataset, table, covered):
            figures[place].append(_shown(name, caption, draw, light, dark))
        texts = _texts(dataset, table, covered)
    page = environment().get_template("recording.html")
    paths = [folder / "recording.html", folder / "neuroids.csv"]
    written = page.render(version=version("brodmann"), command=command, figures=figures, **texts)
    write_bytes(paths[0], written.encode())
    write_bytes(paths[1], csv_of(table))
    return paths


def _figures(
    dataset: Dataset, table: pd.DataFrame, covered: pd.DataFrame
) -> Iterator[tuple[str, str, str, Draw]]:
    """Where each figure stands, its name, its caption, and how it is drawn."""
    responses = dataset.responses
    assert responses is not None
    if dataset.stimuli.stimulus_paths:
        yield (
            "stimuli",
            "pictures",
            "Some of the pictures, drawn by a seed.",
            lambda style: thumbnails(dataset, style),
        )
    yield (
        "coverage", "coverage", "How often each stimulus was shown, and how much each run holds.",
        lambda style: presentations(dataset, covered, style),
    )  # fmt: skip
    trials = dataset.kind == "trials"
    measures = {
        "reliability": "reliability of the mean response",
        "snr": "signal to noise of one presentation (ncsnr)"
        if trials
        else "temporal signal to noise of a run",
        "mean": f"mean response{f' ({dataset.units})' if dataset.units else ''}",
    }
    located = len(axes_of(table)) > 1
    for measure, title in measures.items():
        if not np.isfinite(table[measure]).any():
            continue
        if measure != "mean":
            yield (
                "quality", f"{measure}-histogram", f"{title.capitalize()}, over neuroids.",
                partial(histograms, table, measure, title),
            )  # fmt: skip
        if located:
            yield (
                "quality", f"{measure}-map", f"{title.capitalize()}, where the neuroids lie.",
                partial(maps, table, measure, title),
            )  # fmt: skip
    if responses.sizes.get("time_bin", 1) > 1:
        timed = in_time(dataset)
        caption = "Mean response, and reliability of it over at most 100 neuroids of a region, by time bin."
        yield "time", "time-courses", caption, lambda style: time_courses(timed, style)
    if not trials:
        caption = (
            "Mean over neuroids (z-scored within the run), in color; confounds, in gray; samples that are left out, "
            "shaded."
        )
        yield "time", "runs", caption, lambda style: series(dataset, style)


def _shown(name: str, caption: str, draw: Draw, light: Style, dark: Style) -> dict[str, str]:
    pictures = {}
    for kind, style in (("light", light), ("dark", dark)):
        with style.applied():
            encoded = base64.b64encode(bytes_of_figure(draw(style), "png")).decode()
        pictures[kind] = f"data:image/png;base64,{encoded}"
    return {"name": file_name(name), "title": caption, "caption": caption, **pictures}


def _texts(dataset: Dataset, table: pd.DataFrame, covered: pd.DataFrame) -> Mapping[str, Any]:
    responses = dataset.responses
    assert responses is not None
    attributes = responses.attrs
    said = [str(one) for one in attributes.get("said", [])]
    left_out = [f"{count} {reason}" for reason, count in attributes.get("left_out", {}).items()]
    about = {
        "kind": dataset.kind,
        "modality": dataset.modality,
        "stimuli": len(dataset.stimuli),
        "samples" if dataset.kind == "series" else "presentations": len(responses),
        "runs" if "run" in covered else "sessions": len(covered),
        "neuroids": responses.sizes["neuroid"],
        "subjects": table["subject"].nunique() if "subject" in table else "not named",
        "units": dataset.units,
        "space": attributes.get("space", ""),
        "seconds from sample to sample": dataset.tr,
        "blocks": dataset.blocks,
        "source": dataset.source,
        "sha256": dataset.digest,
    }
    rows = []
    for region, here in table.groupby("region", sort=False):
        measured = [float(here[one].median()) for one in ("mean", "sd", "reliability", "snr")]
        rows.append([str(region), len(here), *measured])
    heads = ["region", "neuroids", "median mean", "median sd", "median reliability", "median SNR"]
    return {
        "title": f"Recording {dataset.identifier}",
        "summary": repr(dataset).splitlines()[-1].strip(),
        "simulated": dataset.simulated,
        "about": [(name, str(value)) for name, value in about.items() if value not in ("", None)],
        "stimuli_text": _of_stimuli(dataset),
        "samples": _samples(dataset),
        "regions": {"heads": heads, "rows": rows},
        "timed": dataset.kind == "series" or responses.sizes.get("time_bin", 1) > 1,
        "left_out": [*left_out, *said],
        "license": dataset.license,
        "bibtex": dataset.bibtex,
    }


def _of_stimuli(dataset: Dataset) -> list[str]:
    table = pd.DataFrame(dataset.stimuli)
    texts = (
        [] if dataset.has_stimuli else ["The stimuli themselves are not there: models cannot be shown them."]
    )
    shown = {"stimulus_id", "filename", text_column(table)}
    for name in table.columns:
        counts = table[name].astype(str).value_counts()
        if name not in shown and 1 < len(counts) <= _MOST_LABELS:
            texts.append(f"{name}: {', '.join(f'{value} {n}' for value, n in counts.items())}")
    return texts + ([] if dataset.kind == "series" else dataset.described_duplicates())


def _samples(dataset: Dataset) -> dict[str, Any] | None:
    table = pd.DataFrame(dataset.stimuli)
    if dataset.stimuli.stimulus_paths:
        return None
    some = table.iloc[np.linspace(0, len(table) - 1, min(len(table), _MOST_TEXTS)).astype(int)]
    return {"heads": list(map(str, table.columns)), "rows": some.astype(str).to_numpy().tolist()}
