"""What a score depends on, as one digest: by it a record is kept and found."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..files import digest_of
from ..fingerprint import fingerprint
from ..source_digest import code_digest, module_name
from .metrics.base import ScoringOptions
from .metrics.registries import METRICS

if TYPE_CHECKING:
    from ..models import Model
    from .benchmark import Benchmark
    from .nuisance_spaces import Nuisance

BRAIN = "brain"
"""The name under which a recording is scored against itself."""


@dataclass(frozen=True)
class Key:
    """What a score depends on.

    Attributes
    ----------
    digest : str
        Of everything: the model, the data, the benchmark's card, the metric, the draws, and the code of all of them.
    model : str
        Of what the model is.
    code : str
        Of the code alone.
    """

    digest: str
    model: str
    code: str


def code_of_score(benchmark: "Benchmark", model: "Model | None") -> list[str]:
    """The modules of this package that a score stands on, less what these import; a person's own come beside them."""
    kinds = [type(benchmark.metric), *([] if model is None else [type(model)])]
    places = [kind.__module__ for kind in kinds]
    if benchmark.card.metric in METRICS:  # where it is put together
        places.append(METRICS.origin(benchmark.card.metric))
    own = [module_name(place) for place in places]
    return sorted({"bench.layer_comparison", *(() if model is None else model.made_by), *filter(None, own)})


def score_key(
    benchmark: "Benchmark",
    model: "Model | None",
    layers: Sequence[str],
    options: ScoringOptions | None = None,
    nuisance: Sequence["Nuisance"] = (),
) -> Key:
    """What a score will be kept by; `model` None stands for the recording itself."""
    options = options or ScoringOptions()
    digest = benchmark.dataset.digest if model is None else model.digest
    shown = [BRAIN] if model is None else [model.identifier, dict(model.numerics)]
    metric, kinds = fingerprint(benchmark.metric), fingerprint(type(benchmark.metric), type(model))
    modules = {*code_of_score(benchmark, model), *(module for one in nuisance for module in one.modules)}
    code = digest_of(code_digest(sorted(modules)), kinds.digest)
    # the table of stimuli may have been edited since the data set's own digest was found
    data = fingerprint(benchmark.recording, benchmark.dataset.stimuli).digest, benchmark.dataset.digest
    return Key(
        digest_of(
            [*shown, digest, list(layers)],
            [asdict(benchmark.card), *data],
            [metric.digest, metric.versions, fingerprint(METRICS.get(benchmark.card.metric)).digest],
            [asdict(options), [[one.name, one.digest] for one in nuisance]],
            code,
        ),
        digest,
        code,
    )
