"""A training's state on disk, whole or not there, taken up only by the training that left it."""

from pathlib import Path

from torch import Tensor

from ....errors import UserError
from ....files import digest_of, read_json, sha256_file, whole_folder, write_json
from ....models.weights.state_dict import read_weights
from .learner import Learner

_TENSORS, _NUMBERS = "state.safetensors", "state.json"


def keep(folder: Path, learner: Learner, of: str) -> None:
    """Write the state of a training.

    Parameters
    ----------
    folder : Path
    learner : Learner
    of : str
        A digest of settings and rows: what may go on from here.
    """
    from safetensors.torch import save_file

    with whole_folder(folder) as place:
        tensors = {name: one.contiguous().clone() for name, one in learner.tensors().items()}
        save_file(tensors, place / _TENSORS)
        numbers = {**learner.numbers(), "of": of, "sha256": sha256_file(place / _TENSORS)}
        write_json(place / _NUMBERS, numbers)


def take_up(folder: Path, learner: Learner, of: str) -> bool:
    """Go on from a state, where there is one.

    Returns
    -------
    bool
        Whether there was one.

    Raises
    ------
    UserError
        For the state of another training, or a damaged one.
    """
    if not (folder / _NUMBERS).is_file():
        return False
    numbers = read_json(folder / _NUMBERS)
    try:
        if numbers["of"] != of:
            raise UserError(
                f"{folder} is the state of a training with other settings or other rows: choose another folder, or "
                "remove it"
            )
        if numbers["sha256"] != sha256_file(folder / _TENSORS):
            raise UserError(f"{folder / _TENSORS} is damaged: remove {folder} and begin again")
        tensors: dict[str, Tensor] = read_weights(folder / _TENSORS)
        learner.restore(tensors, numbers)
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise UserError(f"{folder} is no state of a training ({error!r}): remove it") from error
    return True


def digest_of_training(*parts: object) -> str:
    """What a state is of."""
    return digest_of(*parts)
