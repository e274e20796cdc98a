"""The main job on the embedded default: four vision models and two language models, scored and drawn."""

from pathlib import Path
from typing import TYPE_CHECKING

from ...files import write_bytes
from ..reports.render import figure_bytes

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


def draw(found: "list[Score]", folder: Path) -> list[Path]:
    """Save the layer curve of every score as a PNG.

    Parameters
    ----------
    found : list of Score
    folder : Path
        Made where absent.
    """
    paths = []
    for one in found:
        record = one.attrs["record"]
        if len(record["layers"]) > 1:
            paths.append(folder / f"{record['model']}__{record['benchmark']}.png")
            write_bytes(paths[-1], figure_bytes(record, "png"))
    return paths
