"""An untrained transformer: a language baseline without weights."""

from typing import TYPE_CHECKING

from ..catalogue import ModelCard, loads

if TYPE_CHECKING:
    from ..model import Model


@loads(
    ModelCard(
        "random-transformer",
        "untrained causal transformer over bytes, 4 layers, seeded",
        "language",
        "baseline",
        ("embed", *(f"blocks.{index}" for index in range(4))),
    )
)
def random_transformer(card: ModelCard) -> "Model":
    """The transformer, its vectors averaged over a text's bytes."""
    from ..architectures.random_transformer import ByteTokenizer, RandomTransformer
    from ..extraction.language_model import LanguageModel

    return LanguageModel(
        RandomTransformer(), ByteTokenizer(), identifier=card.identifier, layers=card.layers, pooling="mean"
    )
