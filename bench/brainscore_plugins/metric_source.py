"""Brain-Score's own metrics: how a plugin asks for the one that brodmann's metric of another name equals."""

from dataclasses import dataclass

import numpy as np

from ...errors import UserError
from ..benchmark import Benchmark
from ..metrics.brainscore_regression import BrainScoreRegression
from ..metrics.registries import METRICS, NORMALIZATIONS


@dataclass(frozen=True)
class MetricSource:
    """A metric as code.

    Attributes
    ----------
    name : str
        As Brain-Score writes it into identifiers.
    imports : str
        Lines of Python.
    expression : str
        Gives the metric, ``metric(source, target) -> Score``.
    columns : tuple of str
        Of the stimuli, that its splits need.
    tolerance : float
        How far its value may lie from brodmann's.
    """

    name: str
    imports: str
    expression: str
    columns: tuple[str, ...]
    tolerance: float


def metric_source(benchmark: Benchmark) -> MetricSource:
    """Brain-Score's metric of a benchmark.

    Raises
    ------
    UserError
        For a metric that Brain-Score does not have, or not for this modality, naming which to use.
    """
    metric, modality = benchmark.card.metric, benchmark.card.modality
    known = {
        name: card.brainscore[modality]
        for name, card in sorted(METRICS.items())
        if modality in card.brainscore
    }
    if metric not in known:
        like = METRICS[metric].like if metric in METRICS else ()
        use = next((name for name in like if name in known), "")
        raise UserError(
            f"Brain-Score {modality} has no metric {metric!r}: use {use + ', or one of ' if use else ''}"
            f"{', '.join(known)}, e.g. {benchmark.card.dataset}.{benchmark.card.region}-{use or next(iter(known))}"
        )
    if modality == "language":
        return _language(benchmark, known[metric])
    return _vision(benchmark, known[metric])


def _vision(benchmark: Benchmark, name: str) -> MetricSource:
    load = "from brainscore_vision import load_metric"
    if not isinstance(benchmark.metric, BrainScoreRegression):
        return MetricSource(name, load, f"load_metric({name!r})", (), 1e-5)
    column = _stratified_by(benchmark)
    columns = (column,) if column else ()
    splits = f"crossvalidation_kwargs={{'stratification_coord': {column!r}}}"
    if name == "ridgecv":  # the registry has it for a train and a test set alone
        imports = "from brainscore_vision.metrics.regression_correlation import metric"
        parts = "metric.ridge_cv_regression(), metric.pearsonr_correlation()"
        expression = f"metric.CrossRegressedCorrelation({parts}, {splits})"
        return MetricSource(name, imports, expression, columns, 1e-5)
    # scikit-learn stops the power iterations of PLS early; brodmann does not
    return MetricSource(
        name, load, f"load_metric({name!r}, {splits})", columns, 5e-3 if name == "pls" else 1e-5
    )


def _language(benchmark: Benchmark, name: str) -> MetricSource:
    imports = (
        "from brainscore_language import load_metric\n"
        "from brainscore_language.artificial_subject import ArtificialSubject"
    )
    preset = benchmark.metric
    assert isinstance(preset, BrainScoreRegression)
    column, group, seed = _stratified_by(benchmark), preset.splitter.group, preset.splitter.seed
    if group is not None:
        splits = {"split_coord": group, "kfold": "group", "random_state": seed}
    else:
        splits = {"train_size": 0.9, "kfold": False, "random_state": seed, "stratification_coord": column}
    expression = f"load_metric({name + '_pearsonr'!r}, crossvalidation_kwargs={splits!r})"
    return MetricSource(name, imports, expression, tuple(one for one in (group, column) if one), 1e-5)


def _stratified_by(benchmark: Benchmark) -> str | None:
    """The column that balances the splits, where brodmann's splitter uses one."""
    metric = benchmark.metric
    if not isinstance(metric, BrainScoreRegression) or metric.splitter.group is not None:
        return None
    labels = benchmark.recording.columns.get(metric.splitter.stratify or "")
    if labels is None or np.unique(labels, return_counts=True)[1].min() < 2:
        return None
    return metric.splitter.stratify


def normalized_by(normalization: str) -> str:
    """The expression of a score, from ``raw`` and ``CEILING``."""
    return NORMALIZATIONS[normalization].expression
