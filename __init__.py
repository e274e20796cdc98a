"""brodmann: how brain-like is a model? Scores, ceilings, intervals and p values.

>>> import brodmann
>>> score = brodmann.score("gabor-pyramid", "simulated-cortex.V1-ridge")
"""

from typing import TYPE_CHECKING

from .lazy import attach

if TYPE_CHECKING:
    from . import analysis, bench, brain_data, models
    from .bench import compare, list_benchmarks, load_benchmark, score, submit
    from .brain_data import add_dataset, list_datasets, load_dataset
    from .errors import UserError
    from .models import add_model, list_models, load_model

__version__ = "0.1.0"

_WHERE = {
    "UserError": ".errors",
    "add_dataset": ".brain_data",
    "add_model": ".models",
    "analysis": "",
    "bench": "",
    "brain_data": "",
    "compare": ".bench",
    "list_benchmarks": ".bench",
    "list_datasets": ".brain_data",
    "list_models": ".models",
    "load_benchmark": ".bench",
    "load_dataset": ".brain_data",
    "load_model": ".models",
    "models": "",
    "score": ".bench",
    "submit": ".bench",
}
__all__ = [
    "UserError",
    "add_dataset",
    "add_model",
    "analysis",
    "bench",
    "brain_data",
    "compare",
    "list_benchmarks",
    "list_datasets",
    "list_models",
    "load_benchmark",
    "load_dataset",
    "load_model",
    "models",
    "score",
    "submit",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
