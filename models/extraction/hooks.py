"""Read the outputs of named modules, and stop once the last of them has been seen."""

from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from threading import Lock, RLock
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from ...errors import UserError, first_line
from .layer_names import INPUT, first_tensor, given_to, layer_name, plain, tensor_of, tensors_in, unusual
from .programs import is_out_of_reach, uncompiled

Hook = Callable[..., Any]
"""(module, inputs, output) -> what it becomes or None; before a module runs, (module, inputs)."""


class Placed(NamedTuple):
    """A hook and where it stands."""

    module: nn.Module
    hook: Hook
    before: bool = False


class Intervention(Protocol):
    """What changes a layer's output while a network runs, such as a lesion."""

    @property
    def layer(self) -> str:
        """Dotted module name; ``MODULE#in`` for what it is given."""

    def applied(self, output: Tensor) -> Tensor:
        """The output as it becomes, a new tensor."""


class _Enough(BaseException):
    """Everything that was asked for has been computed; a network's own ``except Exception`` lets it pass."""


@dataclass(frozen=True)
class Stop:
    """After which call of which module nothing more is needed."""

    layer: str
    call: int


@dataclass
class _Hooks:
    """Those that a network has from here, and the lock of the thread that may run it."""

    lock: AbstractContextManager[Any] = field(default_factory=RLock)
    placed: list[Placed] = field(default_factory=list)
    handles: list[RemovableHandle] = field(default_factory=list)

    def place(self, hooks: list[Placed]) -> None:
        for handle in self.handles:
            handle.remove()
        self.placed = hooks
        self.handles = [
            one.module.register_forward_pre_hook(one.hook)
            if one.before
            else one.module.register_forward_hook(one.hook)
            for one in hooks
        ]


_HOOKS: "WeakKeyDictionary[nn.Module, _Hooks]" = WeakKeyDictionary()
_NEW = Lock()


@contextmanager
def alone(
    module: nn.Module,
    interventions: Sequence[Intervention] = (),
    reading: Sequence[Placed] = (),
) -> Iterator[None]:
    """While the block runs, no other thread runs the network, which has these hooks and no others from here.

    Parameters
    ----------
    module : torch.nn.Module
    interventions : sequence of Intervention
        Come before what is read.
    reading : sequence of Placed
    """
    with _NEW:
        hooks = _HOOKS.setdefault(module, _Hooks())
    with hooks.lock:
        before = hooks.placed
        changed = [_changing(module, one) for one in interventions]
        try:
            hooks.place([*changed, *reading])
            yield
        finally:
            hooks.place(before)


def _changing(module: nn.Module, intervention: Intervention) -> Placed:
    suffix = f"#{INPUT}"
    named = dict(module.named_modules())
    if intervention.layer not in named and intervention.layer.endswith(suffix):

        def change_inputs(_module: nn.Module, inputs: Any) -> Any:
            return intervention.applied(given_to(inputs, intervention.layer)), *inputs[1:]

        return Placed(named[intervention.layer.removesuffix(suffix)], change_inputs, before=True)

    def change(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple) and output and isinstance(output[0], Tensor):
            parts = (intervention.applied(output[0]), *output[1:])
            return type(output)._make(parts) if hasattr(output, "_make") else parts
        if not isinstance(output, Tensor):
            raise UserError(
                f"layer {intervention.layer!r} gives a {type(output).__name__}, which cannot be lesioned"
            )
        return intervention.applied(output)

    return Placed(named[intervention.layer], change)


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


@dataclass
class Recording:
    """What a forward pass gave.

    Attributes
    ----------
    tensors : dict of str to Tensor
        What each layer that was reached gave when it gave it.
    order : list of (str, int)
        The modules in the order in which they answered, each with the number of its call.
    places : dict of str to list of str
        Of each module the tensors that it gave, by their places.
    overwritten : set of str
        The layers whose tensor was overwritten in place before the last module answered.
    asks_values : bool
        The pass made numbers of tensors, by which it may go another way for another stimulus; seen in a look.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    order: list[tuple[str, int]] = field(default_factory=list)
    places: dict[str, list[str]] = field(default_factory=dict)
    overwritten: set[str] = field(default_factory=set)
    asks_values: bool = False

    def calls(self, module: str) -> int:
        """How often a module was called."""
        return max((call for name, call in self.order if name == module), default=0)


def record(
    module: nn.Module,
    layers: Sequence[str],
    call: Callable[[], Any],
    *,
    stop: Stop | None = None,
    copied: Container[str] = (),
    look: bool = False,
    interventions: Sequence[Intervention] = (),
) -> Recording:
    """Run a forward pass and keep what some layers gave, as they gave it.

    Parameters
    ----------
    module : torch.nn.Module
    layers : sequence of str
        Names as :func:`.layer_names.layer_name` reads them.
    call : callable
        Runs the forward pass.
    stop : Stop, optional
        Ends the pass early.
    copied : container of str
        Layers whose tensor is copied at once, because it is known to be overwritten. Of all others torch counts the
        writes; one that was written to is in ``overwritten``, and its tensor is not what the layer gave.
    look : bool
        Copy everything, to find what is overwritten even where torch counts no writes (``tensor.data``).
    interventions : sequence of Intervention
    """
    modules = dict(module.named_modules())
    names = {layer: layer_name(layer, modules) for layer in layers}
    wanted: dict[str, list[str]] = {}
    for layer, name in names.items():
        wanted.setdefault(name.module, []).append(layer)
    last = {layer: deque[_Kept](maxlen=max(1, -name.call)) for layer, name in names.items()}
    found = Recording()
    calls: Counter[str] = Counter()

    def is_meant(layer: str, call: int) -> bool:
        return names[layer].call < 0 or names[layer].call == call

    def note(layer: str, tensor: Tensor) -> None:
        last[layer].append(_Kept.of(plain(tensor, layer), copy=layer in copied, beside=look))

    def hook(one: str) -> Hook:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            calls[one] += 1
            if look:
                found.overwritten |= _written(last)
                found.places[one] = list(tensors_in(output))
            found.order.append((one, calls[one]))
            for layer in wanted[one]:
                if not names[layer].is_input and is_meant(layer, calls[one]):
                    note(layer, tensor_of(output, layer, names[layer]))
            if stop == Stop(one, calls[one]):
                raise _Enough

        return keep

    def hook_before(one: str) -> Hook:
        def keep(_module: nn.Module, inputs: Any) -> None:
            for layer in wanted[one]:
                if names[layer].is_input and is_meant(layer, calls[one] + 1):
                    note(layer, given_to(inputs, layer))

        return keep

    reading = [Placed(modules[one], hook(one)) for one in wanted]
    taken = {name.module for name in names.values() if name.is_input}
    reading += [Placed(modules[one], hook_before(one), before=True) for one in taken]
    watch = _Asked()
    watching = watch if look else nullcontext()
    with suppress(_Enough), alone(module, interventions, reading), _evaluation(module), watching:
        call()
    found.asks_values = watch.asked
    if not look:
        found.overwritten = _written(last)
    else:
        found.overwritten |= {layer for layer, kept in last.items() if any(one.differs() for one in kept)}
    for layer, kept in last.items():
        if len(kept) == kept.maxlen:
            found.tensors[layer] = kept[0].value
    last.clear()  # the frames of an early end may live on for a while
    return found


class _Asked(TorchFunctionMode):
    """Sees whether a pass makes numbers of tensors: ``if x.max() > 1``, ``range(n)``, ``x.item()``."""

    asked = False

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        self.asked |= getattr(func, "__name__", "") in _ASK
        return func(*args, **(kwargs or {}))


_ASK = (
    "__bool__", "__int__", "__float__", "__index__", "__array__", "__contains__", "is_nonzero", "item", "tolist",
    "numpy", "equal", "allclose",
)  # fmt: skip


@dataclass(frozen=True)
class _Kept:
    """A tensor and how often it had been written to, or a copy of it, or both."""

    tensor: Tensor | None
    version: int = 0
    copy: Tensor | None = None

    @classmethod
    def of(cls, tensor: Tensor, *, copy: bool, beside: bool) -> "_Kept":
        if copy or tensor.is_inference():  # of a tensor of inference mode torch counts no writes
            return cls(None, copy=tensor.clone())
        return cls(tensor, tensor._version, tensor.clone() if beside else None)

    @property
    def value(self) -> Tensor:
        kept = self.tensor if self.copy is None else self.copy
        assert kept is not None
        return kept

    @property
    def written(self) -> bool:
        return self.tensor is not None and self.tensor._version != self.version

    def differs(self) -> bool:
        """Whether it was written to unseen: nothing was counted, and it is not as it was."""
        if self.tensor is None or self.copy is None or self.written:
            return False
        return not torch.equal(self.tensor, self.copy) and not bool(torch.isnan(self.copy).any())


def _written(kept: Mapping[str, Iterable[_Kept]]) -> set[str]:
    return {layer for layer, ones in kept.items() if any(one.written for one in ones)}


@contextmanager
def _evaluation(module: nn.Module) -> Iterator[None]:
    """Evaluation without gradients; afterwards what trained trains on, whatever happens."""
    training = [(one, one.training) for one in module.modules()]
    module.eval()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # its tensors have a length for each stimulus
    try:
        with torch.no_grad(), uncompiled(module):  # inference_mode would not count writes in place
            yield
    except UserError:
        raise
    # shapes that do not fit, no memory left, an argument that forward lacks, a token without an embedding
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise UserError(
            f"the forward pass of {type(module).__name__} failed: {first_line(error)}{_advice(str(error))}"
        ) from error
    except (
        AssertionError,
        AttributeError,
        LookupError,
        ArithmeticError,
    ) as error:  # whose words alone say little
        said = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"the forward pass of {type(module).__name__} failed: {said}") from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for one, was_training in training:
            one.training = was_training


def _advice(error: str) -> str:
    """What some errors of torch mean here."""
    if "more than 1 value per channel" in error:
        return (
            ": it normalizes over the batch (BatchNorm without running statistics), so that one stimulus alone has no "
            "answer: give it running statistics"
        )
    if "index out of range in self" in error:
        return ": a token or a position that has no embedding; for texts longer than the network reads, set max_tokens"
    return ""


def _modules(module: nn.Module) -> dict[str, nn.Module]:
    """Those that answer hooks, by name."""
    return {name: one for name, one in module.named_modules() if name and not is_out_of_reach(one)}


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
    modules = {name: one for name, one in _modules(module).items() if name.count(".") < depth}
    order: list[str] = []

    def hook(name: str) -> Hook:
        def note(_module: nn.Module, _inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) and output else output
            if isinstance(first, Tensor) and not unusual(first):
                order.append(name)

        return note

    with (
        alone(module, reading=[Placed(one, hook(name)) for name, one in modules.items()]),
        _evaluation(module),
    ):
        call()
    return list(dict.fromkeys(reversed(order)))[::-1]


def every_output(module: nn.Module, call: Callable[[], Any], readable: Callable[[Tensor], bool]) -> list[str]:
    """Every name under which something can be read, in forward order.

    A module's own name stands at its last call and means its first tensor; earlier calls and further tensors follow
    the rules of :func:`.layer_names.layer_name`.

    Parameters
    ----------
    module : torch.nn.Module
    call : callable
        Runs the forward pass.
    readable : callable
        Whether a further tensor has a row for every stimulus.
    """
    answers: list[tuple[str, list[str]]] = []
    modules = _modules(module)

    def hook(name: str) -> Hook:
        def note(_module: nn.Module, _inputs: Any, output: Any) -> None:
            first = first_tensor(output)
            if first is not None:
                others = [
                    place for place, one in tensors_in(output).items() if place != first[0] and readable(one)
                ]
                answers.append((name, others))

        return note

    with (
        alone(module, reading=[Placed(one, hook(name)) for name, one in modules.items()]),
        _evaluation(module),
    ):
        call()
    total = Counter(name for name, _ in answers)
    seen: Counter[str] = Counter()
    found = []
    for name, others in answers:
        seen[name] += 1
        one = name if seen[name] == total[name] else f"{name}@{seen[name]}"
        found += [one, *(f"{one}#{place}" for place in others)]
    return found
