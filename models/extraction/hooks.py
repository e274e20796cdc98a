"""Read the outputs of named modules, and stop once the last of them has been seen."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock, RLock
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ...errors import UserError, first_line, unknown

Hook = Callable[[nn.Module, Any, Any], Any]


class Intervention(Protocol):
    """What changes a layer's output while a network runs, such as a lesion."""

    @property
    def layer(self) -> str:
        """Dotted module name."""

    def applied(self, output: Tensor) -> Tensor:
        """The output as it becomes, a new tensor."""


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


@dataclass
class _Hooks:
    """Those that a network has from here, and the lock of the thread that may run it."""

    lock: AbstractContextManager[Any] = field(default_factory=RLock)
    placed: list[tuple[nn.Module, Hook]] = field(default_factory=list)
    handles: list[RemovableHandle] = field(default_factory=list)

    def place(self, hooks: list[tuple[nn.Module, Hook]]) -> None:
        for handle in self.handles:
            handle.remove()
        self.placed = hooks
        self.handles = [module.register_forward_hook(hook) for module, hook in hooks]


_HOOKS: "WeakKeyDictionary[nn.Module, _Hooks]" = WeakKeyDictionary()
_NEW = Lock()


@contextmanager
def alone(
    module: nn.Module,
    interventions: Sequence[Intervention] = (),
    reading: Sequence[tuple[nn.Module, Hook]] = (),
) -> Iterator[None]:
    """While the block runs, no other thread runs the network, which has these hooks and no others from here.

    Parameters
    ----------
    module : torch.nn.Module
    interventions : sequence of Intervention
        Come before what is read.
    reading : sequence of (Module, callable)
        Forward hooks.
    """
    with _NEW:
        hooks = _HOOKS.setdefault(module, _Hooks())
    with hooks.lock:
        before = hooks.placed
        changed = [(module.get_submodule(one.layer), _changing(one)) for one in interventions]
        try:
            hooks.place([*changed, *reading])
            yield
        finally:
            hooks.place(before)


def _changing(intervention: Intervention) -> Hook:
    def change(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple) and output and isinstance(output[0], Tensor):
            return (intervention.applied(output[0]), *output[1:])
        if not isinstance(output, Tensor):
            raise UserError(
                f"layer {intervention.layer!r} gives a {type(output).__name__}, which cannot be lesioned"
            )
        return intervention.applied(output)

    return change


def run(module: nn.Module, call: Callable[[], Any], interventions: Sequence[Intervention] = ()) -> Any:
    """A forward pass in evaluation mode without gradients; a failure is one line.

    Parameters
    ----------
    module : torch.nn.Module
    call : callable
        Runs the forward pass.
    interventions : sequence of Intervention
    """
    with alone(module, interventions), _evaluation(module):
        return call()


def record(
    module: nn.Module,
    layers: Sequence[str],
    call: Callable[[], Any],
    *,
    stop: Stop | None = None,
    interventions: Sequence[Intervention] = (),
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
    interventions : sequence of Intervention

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

    reading = [(modules[name], hook(name)) for name in layers]
    with suppress(_Enough), alone(module, interventions, reading), _evaluation(module):
        call()
    return found, order


@contextmanager
def _evaluation(module: nn.Module) -> Iterator[None]:
    """Evaluation without gradients; afterwards what trained trains on, whatever happens."""
    training = [(one, one.training) for one in module.modules()]
    module.eval()
    try:
        with torch.inference_mode():
            yield
    except UserError:
        raise
    # shapes that do not fit, no memory left, an argument that forward lacks, a token without an embedding
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise UserError(f"the forward pass of {type(module).__name__} failed: {first_line(error)}") from error
    finally:
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

    with alone(module, reading=[(modules[name], hook(name)) for name in names]), _evaluation(module):
        call()
    return list(dict.fromkeys(reversed(order)))[::-1]
