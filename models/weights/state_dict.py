"""Trained weights, read without executing anything."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ...errors import UserError, first_line
from .checkpoint import DamagedError, read_torch_file, require_for_file


def read_weights(path: Path) -> dict[str, Tensor]:
    """A state dict from a safetensors or a torch file.

    A torch file may nest the tensors under ``state_dict``, ``model``, or as VISSL does, may prefix every name with
    ``module.`` (data parallel) or ``_orig_mod.`` (compiled), and may carry the settings of a training script,
    which are not read.

    Raises
    ------
    UserError
        For a file that is absent, damaged, or would have to execute code to be read.
    """
    content = read_content(path)
    both = [key for key in ("state_dict", "model") if _is_table_of_tensors(content.get(key))]
    if len(both) > 1:
        raise UserError(
            f"{path} holds two networks, under {' and '.join(map(repr, both))}: save the one that is meant alone"
        )
    for keys in _NESTED:
        inner: object = content
        for key in keys:
            inner = inner.get(key) if isinstance(inner, Mapping) else None
        if isinstance(inner, Mapping):
            content = dict(inner)
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UserError(f"{path} holds no tensors, so it is not a file of weights")
    for prefix in ("module.", "_orig_mod."):
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _is_table_of_tensors(value: object) -> bool:
    return isinstance(value, Mapping) and any(isinstance(one, Tensor) for one in value.values())


def read_content(path: Path) -> dict[str, object]:
    """Everything that a safetensors or torch file holds, tensors and plain values, by name.

    Raises
    ------
    UserError
        As :func:`read_weights`.
    """
    try:
        return _safetensors_file(path) if path.suffix == ".safetensors" else _torch_file(path)
    except FileNotFoundError as error:
        raise UserError(f"no weights at {path}") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder, not a file of weights") from error
    except PermissionError as error:
        raise UserError(f"{path} may not be read here") from error
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a readable safetensors file ({error}): fetch it again") from error


def _safetensors_file(path: Path) -> dict[str, object]:
    """Its header is held against the length of the file before anything is read."""
    require_for_file(path, path.stat().st_size)
    return dict(load_file(path))


_NESTED = (("state_dict",), ("model",), ("classy_state_dict", "base_model", "model", "trunk"))


def _torch_file(path: Path) -> dict[str, object]:
    try:
        content = read_torch_file(path)
    except (UserError, FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except DamagedError as error:
        raise UserError(f"{path} is damaged or not a torch file ({error}): fetch it again") from error
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is not a file of plain tensors, and reading it could execute code: refused ({str(error)[:120]})"
        ) from error
    except Exception as error:  # a file of any bytes at all reaches any line of the reader
        raise UserError(
            f"{path} is damaged or not a torch file ({first_line(error)}): fetch it again"
        ) from error
    if not isinstance(content, Mapping):
        raise UserError(f"{path} holds a {type(content).__name__}, not a table of weights")
    return dict(content)


def load_into(
    module: nn.Module, weights: Mapping[str, Tensor], source: Path, *, without: str | None = None
) -> nn.Module:
    """Load weights that must fit exactly.

    Parameters
    ----------
    module : Module
    weights : mapping of str to tensor
    source : Path
        For messages.
    without : str, optional
        A regular expression: names of the file that the network does not have and need not.

    Raises
    ------
    UserError
        Naming the first weight that is missing, unexpected, of another shape, or of numbers of another kind.
    """
    module.load_state_dict(fitting(module, weights, source, without=without), strict=False)
    return module.eval()


def fitting(
    module: nn.Module, weights: Mapping[str, Tensor], source: Path, *, without: str | None = None
) -> dict[str, Tensor]:
    """The weights that a module takes, of which none is missing, unexpected, or of another shape; see `load_into`."""
    own = module.state_dict()
    weights = {
        name: value
        for name, value in weights.items()
        if name in own or without is None or not re.search(without, name)
    }
    # a counter of training batches, which old files lack and evaluation does not use
    needed = {name for name in own if not name.endswith("num_batches_tracked")}
    missing, unexpected = sorted(needed - set(weights)), sorted(set(weights) - set(own))
    if missing or unexpected:
        what = (
            f"lacks {missing[0]!r}{_and_more(missing)}"
            if missing
            else f"holds an unexpected {unexpected[0]!r}{_and_more(unexpected)}"
        )
        raise UserError(f"{source} does not fit {type(module).__name__}: it {what}")
    for name, value in weights.items():
        if value.shape != own[name].shape:
            raise UserError(
                f"{source} does not fit {type(module).__name__}: {name!r} is {tuple(value.shape)}, "
                f"not {tuple(own[name].shape)}"
            )
        real = own[name].is_floating_point()
        if real and not value.is_floating_point():
            kind = (
                "complex numbers"
                if value.is_complex()
                else f"whole numbers ({_dtype(value)}) without their scale"
            )
            raise UserError(
                f"{source} does not fit {type(module).__name__}: {name!r} holds {kind}, where the network has real "
                "ones: save it in float32"
            )
    return weights


def _dtype(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _and_more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
