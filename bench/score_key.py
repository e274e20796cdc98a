"""What a score depends on, as one digest: by it a record is kept and found."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..analysis.encoding.nested_ridge import products_device
from ..device import card_name, products_asked
from ..files import digest_of
from ..fingerprint import fingerprint
from ..source_digest import code_digest, imported_by, module_name
from .metrics.base import ScoringOptions
from .metrics.registries import METRICS

if TYPE_CHECKING:
    from ..models import Model
    from .benchmark import Benchmark
    from .nuisance_spaces import Nuisance

BRAIN = "brain"
"""The name under which a recording is scored against itself."""
_REGRESSION = "analysis.encoding.nested_ridge"


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


def products_of(benchmark: "Benchmark") -> dict[str, str]:
    """Where the benchmark's regressions compute and how precisely, by the names of :attr:`Model.numerics`.

    Empty for a metric without regressions on a device.
    """
    if _REGRESSION not in imported_by(code_of_score(benchmark, None)):
        return {}
    import torch

    from ..models.extraction.network_digest import precision_of_products

    where, asked = torch.device(products_device()), products_asked()
    said = {"device": where.type, "matmul": precision_of_products(where)}
    return said | ({"products": asked} if asked and where.type == "cuda" else {})


def numerics_of(benchmark: "Benchmark", model: "Model | None") -> dict[str, str]:
    """What a record says of where and how precisely its numbers were computed: the network's, and the regressions'."""
    products = products_of(benchmark)
    places = [str(getattr(model, "device", "cpu")), *([products_device()] if products else [])]
    cards = sorted(set(filter(None, map(card_name, places))))
    return {
        **({} if model is None else model.numerics),
        **{f"regression {name}": value for name, value in products.items()},
        **({"card": " and ".join(cards)} if cards else {}),
    }


def _apart(products: Mapping[str, str], numerics: Mapping[str, str]) -> list[Mapping[str, str]]:
    """The products where they are not computed as the network is, or without one as a processor does by default."""
    device = numerics.get("device", "cpu")
    beside = {"device": "cpu" if device == "mps" else device, "matmul": numerics.get("matmul", "highest")}
    return [products] if products and products != beside else []


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
    numerics = {} if model is None else dict(model.numerics)
    shown: list[object] = [BRAIN] if model is None else [model.identifier, numerics]
    shown += _apart(products_of(benchmark), numerics)
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
