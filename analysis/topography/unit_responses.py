"""Units with places, of a model's layer or of a brain region: what every analysis of a layout begins with."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from ...brain_data.dataset import Dataset
from ...brain_data.stimulus_set import StimulusSet
from ...errors import UserError, unknown
from ...models.extraction.language_model import LanguageModel
from ...models.extraction.readout import Readout
from ...models.extraction.torch_model import Network
from ...models.sheet import Sheet
from ..spatial.spatial_weights import SpatialWeights

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.object_]

_ENOUGH_STIMULI = 4
_MOST_LABELS = 40


@dataclass(frozen=True)
class UnitResponses:
    """Responses of units, what was shown, and where the units lie.

    Attributes
    ----------
    name : str
        E.g. ``layer4.0.conv1 of twin-vision-topographic``.
    responses : array of shape (n_presentations, n_units)
    labels : array of shape (n_presentations,)
        The category of every presentation.
    stimulus_ids : array of shape (n_presentations,)
    places : Sheet, array of shape (n_units, 3), SpatialWeights, or None
        The weights of units on a mesh; None where nobody knows.
    samples : {"stimuli", "trials"}
        What statistics count: stimuli (repetitions averaged), or every presentation, where a category has too few
        stimuli.
    neuroids : str
        What a unit is, for captions.
    simulated : bool
    space : str
        The standard space of the positions, e.g. ``MNI152``; empty for a person's own.
    left_out : mapping of str to int
        What was left out before, by reason.
    blocks : array of shape (n_presentations,) or None
        Runs or repetitions of recordings, within which labels can be exchanged.
    """

    name: str
    responses: Floats = field(repr=False)
    labels: Labels = field(repr=False)
    stimulus_ids: Labels = field(repr=False)
    places: Sheet | Floats | SpatialWeights | None = field(repr=False)
    samples: Literal["stimuli", "trials"]
    neuroids: str
    simulated: bool = False
    space: str = ""
    left_out: dict[str, int] = field(default_factory=dict)
    blocks: Labels | None = field(default=None, repr=False)

    @property
    def averaged_over(self) -> Labels | None:
        """The ids to average repetitions over, or None where every presentation is a sample."""
        return self.stimulus_ids if self.samples == "stimuli" else None

    @property
    def unit(self) -> str:
        """Of distances: mm or cell."""
        return self.places.unit if isinstance(self.places, Sheet) else "mm"


def layer_unit_responses(model: Network, layer: str, stimuli: StimulusSet) -> UnitResponses:
    """A layer's units: channels of a feature map (mean over space), features of texts, or single units.

    Parameters
    ----------
    model : Network
    layer : str
    stimuli : StimulusSet
        With a column ``category`` (gratings have none).
    """
    responses = unit_responses(model, stimuli, layer)
    sheet = model.sheet(layer)
    if sheet is not None and len(sheet) != responses.shape[1]:
        raise UserError(
            f"layer {layer!r} answers with {responses.shape[1]} units, and its sheet has {len(sheet)} places"
        )
    kinds = stimuli["category"] if "category" in stimuli.columns else [""] * len(stimuli)
    return UnitResponses(
        f"{layer} of {model.identifier}",
        responses,
        np.asarray(list(kinds), dtype=object),
        np.asarray(list(stimuli["stimulus_id"]), dtype=object),
        sheet,
        "stimuli",
        "channels" if what_is_a_unit(model, layer) == "channel" and model.modality == "vision" else "units",
    )


def region_unit_responses(
    dataset: Dataset,
    region: str | None = None,
    *,
    by: str = "",
    on_mesh: Callable[[Labels, npt.NDArray[Any]], SpatialWeights] | None = None,
) -> UnitResponses:
    """A region's voxels, sites or cells; their positions are ``x``, ``y`` and ``z`` in mm where the data set has them.

    Parameters
    ----------
    dataset : Dataset
        With responses, of one subject where it has positions (a person's own space is nobody else's).
    region : str, optional
        All neuroids by default.
    by : str
        The column of the stimulus table that holds the category; ``category`` or the first of few values by default.
    on_mesh : callable, optional
        The ``hemisphere`` and ``vertex`` of the neuroids -> their weights on a mesh, which are then their places.

    Raises
    ------
    UserError
        For data published as RDMs only, an unknown region or column, or positions of several people in their own
        spaces.
    """
    if dataset.responses is None:
        raise UserError(f"{dataset.identifier} was published as RDMs only: it has no units to analyse")
    responses = dataset.trials(region)
    known = labels_of(dataset)
    if by and by not in known:
        raise unknown(f"column of labels of {dataset.identifier}", by, known)
    ids = responses["stimulus_id"].values.astype(object)
    labels = np.full(len(ids), "", dtype=object)
    if known:
        label_of = dict(zip(dataset.stimuli["stimulus_id"], dataset.stimuli[by or known[0]], strict=True))
        labels = np.array([str(label_of[one]) for one in ids], dtype=object)
    per_label = {kind: len(set(ids[labels == kind])) for kind in set(labels)}
    space = str(responses.attrs.get("space", ""))
    subjects = sorted(set(responses["subject"].values.tolist())) if "subject" in responses.coords else []
    places: Floats | SpatialWeights | None = None
    if on_mesh is not None:
        places = _mesh_places(dataset, responses, subjects, on_mesh)
    elif all(axis in responses.coords for axis in "xyz"):
        places = np.stack([responses[axis].values.astype(np.float64) for axis in "xyz"], axis=1)
        if len(subjects) > 1 and not space:
            raise UserError(
                f"{dataset.identifier} holds {len(subjects)} subjects, each with positions of their own: choose one "
                f"(--subject {subjects[0]})"
            )
        fixed = [axis for axis in range(3) if np.ptp(places[:, axis]) < 1e-9]
        if fixed == [2]:
            places = places[:, :2]
    left_out: Any = responses.attrs.get("left_out", {})
    return UnitResponses(
        f"{region or dataset.regions[0]} of {dataset.identifier}",
        responses.values.astype(np.float64),
        labels,
        ids,
        places,
        "stimuli" if min(per_label.values()) >= _ENOUGH_STIMULI else "trials",
        "neuroids",
        dataset.simulated,
        space,
        dict(left_out),
        _blocks(responses),
    )


def _mesh_places(
    dataset: Dataset,
    responses: xr.DataArray,
    subjects: list[str],
    on_mesh: Callable[[Labels, npt.NDArray[Any]], SpatialWeights],
) -> SpatialWeights:
    if not {"hemisphere", "vertex"} <= set(map(str, responses.coords)):
        raise UserError(
            f"{dataset.identifier} does not say on which vertex a neuroid lies (hemisphere, vertex)"
        )
    if len(subjects) > 1:
        raise UserError(
            f"{dataset.identifier} holds {len(subjects)} subjects on one mesh: choose one (--subject {subjects[0]})"
        )
    return on_mesh(responses["hemisphere"].values.astype(object), responses["vertex"].values)


def _blocks(responses: xr.DataArray) -> Labels:
    for name in ("run", "session", "repetition"):
        if name in responses.coords and len(set(responses[name].values.tolist())) > 1:
            return np.asarray(responses[name].values, dtype=object)
    return np.zeros(responses.sizes["presentation"], dtype=object)


def of_subject(dataset: Dataset, subject: str) -> Dataset:
    """The same data set with one subject's neuroids."""
    known = [] if dataset.responses is None or "subject" not in dataset.responses.coords else sorted(
        set(dataset.responses["subject"].values.tolist())
    )  # fmt: skip
    if subject not in known:
        raise unknown(f"subject of {dataset.identifier}", subject, known)
    assert dataset.responses is not None
    return replace(dataset, responses=dataset.responses[:, (dataset.responses["subject"] == subject).values])


def what_is_a_unit(model: Network, layer: str) -> Literal["channel", "unit"]:
    """``unit`` where the layer's sheet has a place for every unit of its map (TDANN, All-TNN), else ``channel``."""
    sheet = model.sheet(layer)
    if sheet is None or sheet.reads == "channel" or isinstance(model, LanguageModel):
        return "channel"
    return "unit" if len(sheet) == prod(model.shapes([layer])[layer]) else "channel"


def unit_responses(model: Network, stimuli: StimulusSet, layer: str) -> Floats:
    """A layer's responses, one column a unit as :func:`what_is_a_unit` says, (n_stimuli, n_units)."""
    whole = isinstance(model, LanguageModel) or what_is_a_unit(model, layer) == "unit"
    readout = Readout(pool="none" if whole else "mean")
    return np.asarray(model.extract(stimuli, [layer], readout=readout)[layer], np.float64)


def labels_of(dataset: Dataset) -> list[str]:
    """The columns of the stimulus table that hold a few names (no numbers), ``category`` first."""
    shown = ("stimulus_id", "filename", "sentence", "word", "images")
    known = [
        str(name)
        for name in dataset.stimuli.columns
        if name not in shown
        and (dataset.stimuli[name].dtype == object or isinstance(dataset.stimuli[name].dtype, pd.StringDtype))
        and 2 <= dataset.stimuli[name].nunique() <= _MOST_LABELS
    ]
    return sorted(known, key=lambda name: name != "category")


def means(unit_responses: UnitResponses) -> Floats:
    """The mean response to every stimulus, (n_stimuli, n_units)."""
    _, member = np.unique(unit_responses.stimulus_ids.astype(str), return_inverse=True)
    sums = np.zeros((member.max() + 1, unit_responses.responses.shape[1]))
    np.add.at(sums, member, unit_responses.responses)
    return sums / np.bincount(member)[:, None]
