"""A dictionary of a layer of a model: its rows are read once, kept on disk, and learnt from."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from ....brain_data.dataset import stimuli_digest
from ....errors import UserError
from ....files import digest_of
from ....models.extraction.rows import TokenWindows, count_rows, layer_rows
from ..dictionary import Dictionary, Site
from ..variants.base import VARIANTS
from .rows import PRECISIONS, TrainingRows, open_rows, write_rows
from .settings import Settings, require_memory
from .training import train_dictionary

if TYPE_CHECKING:
    from ....brain_data.stimulus_set import StimulusSet
    from ....models.extraction.torch_model import Network

INPUT = "#in"
"""Ends the name of what a module is given."""


def train(
    model: "Network",
    layer: str,
    shown: "TokenWindows | StimulusSet",
    settings: Settings,
    *,
    folder: Path,
    kept_as: str = "fp16",
    seconds_between: float = 60.0,
    watch: Callable[[int, Mapping[str, float]], None] | None = None,
) -> Dictionary:
    """Learn a sparse dictionary of a layer.

    Parameters
    ----------
    model : Network
    layer : str
        ``MODULE#in`` for what a module is given. For a transcoder the module whose output is made of its input.
    shown : TokenWindows or StimulusSet
        One row a token (without the first of each window), or one a place of each picture's map.
    settings : Settings
    folder : Path
        Keeps the rows and the state of the training. Called again with the same, a training that was stopped goes on
        to the same digits. It is the caller's to remove.
    kept_as : {"fp16", "bf16", "fp32"}
        Precision of the rows on disk.
    seconds_between : float
        Between two states.
    watch : callable, optional
        (step, {"fvu", "active", "dead"}) after each step.

    Returns
    -------
    Dictionary

    Raises
    ------
    UserError
        For an unknown layer, too little memory or disk, rows of other things in `folder`.
    """
    transcodes = VARIANTS[settings.variant].learning.transcodes
    if transcodes and layer.endswith(INPUT):
        raise UserError(f"--layer {layer}: a transcoder is of a module: give {layer.removesuffix(INPUT)}")
    read_at = f"{layer}{INPUT}" if transcodes else layer
    corpus = digest_of_shown(shown)
    rows = _rows(model, read_at, shown, folder / "rows", kept_as, corpus, settings)
    targets = (
        _rows(model, layer, shown, folder / "targets", kept_as, corpus, settings) if transcodes else None
    )
    row: Literal["token", "place"] = "token" if isinstance(shown, TokenWindows) else "place"
    return train_dictionary(
        rows,
        settings,
        targets=targets,
        checkpoint=folder / "state",
        seconds_between=seconds_between,
        site=Site(model.identifier, model.digest, read_at, row),
        facts={"corpus": corpus, "rows_kept_as": kept_as, **({"makes": layer} if transcodes else {})},
        watch=watch,
    )


def digest_of_shown(shown: "TokenWindows | StimulusSet") -> str:
    """sha256 over what a model is shown."""
    if isinstance(shown, TokenWindows):
        return digest_of("tokens", (ids.astype("<i8").tobytes() + b"|" for ids in shown.ids))
    return digest_of("pictures", stimuli_digest(shown))


def _rows(
    model: "Network",
    layer: str,
    shown: "TokenWindows | StimulusSet",
    folder: Path,
    kept_as: str,
    corpus: str,
    settings: Settings,
) -> TrainingRows:
    facts: dict[str, Any] = {
        "model": model.identifier,
        "weights": model.digest,
        "layer": layer,
        "corpus": corpus,
        "kept_as": kept_as,
    }
    if folder.is_dir():
        return open_rows(folder, facts=facts)
    n_rows, n_units = count_rows(model, layer, shown)
    require_memory(settings, n_units, n_units, dense=not VARIANTS[settings.variant].learning.sparse)
    require_disk(folder, n_rows * n_units * PRECISIONS[kept_as].itemsize)
    return write_rows(_values(model, layer, shown), folder, precision=kept_as, facts=facts)


def _values(model: "Network", layer: str, shown: "TokenWindows | StimulusSet") -> Iterator[Tensor]:
    for piece in layer_rows(model, layer, shown):
        yield piece.values


def require_disk(folder: Path, n_bytes: int) -> None:
    """Refuse rows that the disk would not hold."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if n_bytes > free:
        raise UserError(
            f"the rows take {n_bytes / 2**30:.1f} GiB and {existing} has {free / 2**30:.1f} GiB free: show the model "
            "less, or choose another --folder"
        )
