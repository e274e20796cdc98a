"""Read the outputs of named modules, and stop once the last of them has been seen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError, unknown

Hook = Callable[[nn.Module, Any, Any], None]


class _Enough(BaseException):
    """Everything that was asked for has been computed; a network's own ``except Exception`` lets it pass."""


@dataclass(frozen=True)
class Stop:
    """After which call of which module nothing more is needed."""

    layer: str
    call: int


def check_layers(module: nn.Module, layers: Sequence[str], model: str) -> None:
    """Raise a UserError, with the close matches, for a module that is not there."""
    known = [name for name, _ in module.named_modules() if name]
    for layer in layers:
        if layer not in known:
            raise unknown(f"layer of {model}", layer, known)


def run(module: nn.Module, call: Callable[[], Any]) -> Any:
    """A forward pass in evaluation mode without gradients; a failure is one line.

    Parameters
    ----------
    module : torch.nn.Module
    call : callable
        Runs the forward pass.
    """
    with _hooked(module, {}):
        return call()


def record(
    module: nn.Module, layers: Sequence[str], call: Callable[[], Any], *, stop: Stop | None = None
) -> tuple[dict[str, Tensor], list[str]]:
    """Run a forward pass and keep the outputs of some modules.

    Parameters
    ----------
    module : torch.nn.Module
    layers : sequence of str
        Dotted module names.
    call : callable
        Runs the forward pass.
    stop : Stop, optional
        Ends the pass early.

    Returns
    -------
    found : dict of str to Tensor
        The last output of each layer that was reached; the first tensor of a tuple or of a model output.
    order : list of str
        The layers in the order in which they answered, once per call.
    """
    found: dict[str, Tensor] = {}
    order: list[str] = []
    modules = dict(module.named_modules())

    def hook(name: str) -> Hook:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            found[name] = _first_tensor(output, name)
            order.append(name)
            if stop is not None and name == stop.layer and order.count(name) == stop.call:
                raise _Enough

        return keep

    with suppress(_Enough), _hooked(module, {modules[name]: hook(name) for name in layers}):
        call()
    return found, order


@contextmanager
def _hooked(module: nn.Module, hooks: Mapping[nn.Module, Hook]) -> Iterator[None]:
    """Evaluation without gradients, with forward hooks that are gone afterwards whatever happens."""
    handles = [one.register_forward_hook(hook) for one, hook in hooks.items()]
    training = [(one, one.training) for one in module.modules()]
    module.eval()
    try:
        with torch.inference_mode():
            yield
    except UserError:
        raise
    # shapes that do not fit, no memory left, an argument that forward lacks, a token without an embedding
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        first = (str(error).strip().splitlines() or ["no message"])[0][:200]
        raise UserError(f"the forward pass of {type(module).__name__} failed: {first}") from error
    finally:
        for handle in handles:
            handle.remove()
        for one, was_training in training:
            one.training = was_training


def _first_tensor(output: Any, name: str) -> Tensor:
    if isinstance(output, Tensor):
        return output
    parts = output.values() if isinstance(output, dict) else output
    if isinstance(output, (tuple, list, dict)):
        for part in parts:
            if isinstance(part, Tensor):
                return part
    raise UserError(
        f"layer {name!r} gives a {type(output).__name__}, not a tensor: choose a module inside it"
    )


def forward_order(module: nn.Module, call: Callable[[], Any], *, depth: int) -> list[str]:
    """The modules down to some depth that answer with a tensor, in the order of their last call.

    Parameters
    ----------
    module : torch.nn.Module
    call : callable
        Runs the forward pass.
    depth : int
        ``layer1.0`` has depth 2.
    """
    names = [name for name, _ in module.named_modules() if name and name.count(".") < depth]
    order: list[str] = []
    modules = dict(module.named_modules())

    def hook(name: str) -> Hook:
        def note(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) or (
                isinstance(output, tuple) and output and isinstance(output[0], Tensor)
            ):
                order.append(name)

        return note

    with _hooked(module, {modules[name]: hook(name) for name in names}):
        call()
    return list(dict.fromkeys(reversed(order)))[::-1]
