"""The main job on the embedded default: four vision models and two language models, scored and drawn."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..results.as_score import Score

PAIRS = (
    ("simulated-truth", "simulated-cortex.V1-ridge"),
    ("gabor-pyramid", "simulated-cortex.V1-ridge"),
    ("random-convnet", "simulated-cortex.V1-ridge"),
    ("pixels", "simulated-cortex.V1-ridge"),
    ("simulated-truth", "simulated-cortex.IT-rsa"),
    ("random-convnet", "simulated-cortex.IT-rsa"),
    ("pixels", "simulated-cortex.IT-rsa"),
    ("random-transformer", "simulated-cortex-language.language-ridge"),
    ("word-length-frequency", "simulated-cortex-language.language-ridge"),
)


def scores(run: str = "demo") -> "list[Score]":
    """Score every pair of the demonstration; pairs that are in the run already cost nothing."""
    from ..scoring import score

    return [score(model, benchmark, run=run, n_permutations=200, beyond=()) for model, benchmark in PAIRS]
