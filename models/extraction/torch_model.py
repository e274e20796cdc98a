"""What vision and language networks share: layers, settings, extraction in one pass, the cache."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch import Tensor, nn

from ...brain_data.dataset import stimuli_digest
from ...errors import UserError
from ...files import digest_of
from ...fingerprint import Fingerprint, package_version
from ...progress import track
from ..model import Context, Model, describe_layers
from ..sheet import Sheet, grid_sheet
from . import activation_cache, precision
from .hooks import Intervention, Stop, alone, check_layers, forward_order, record
from .network_digest import network_fingerprint, precision_of_products
from .readout import EVERYTHING, Readout

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet


class Network(Model):
    """A torch module whose layers are read with hooks.

    It does not change: other readouts, lesions and settings are views, which share the module and its weights.

    Parameters
    ----------
    module : torch.nn.Module
    identifier : str
    layers : sequence of str, optional
        Dotted module names. By default the modules down to two levels (``layer1.0``) that answer with a
        tensor, in forward order.
    batch_size : int
    device : str, optional
        ``"cuda"``, ``"mps"`` or ``"cpu"``; the first that is there by default.
    cache : bool
        Keep activations on disk under ``$BRODMANN_HOME/activations``.
    sheets : sequence of Sheet
        Where units lie, for the layers that have a sheet.
    readout : Readout
        Pooling over space, projection of wide layers, half precision.

    Attributes
    ----------
    stored_in : str
        The precision of the weights in their file; "" where that is not known.
    """

    module: nn.Module
    device: torch.device
    batch_size: int
    cache: bool
    readout: Readout
    lesions: tuple[Intervention, ...]
    stored_in: str = ""
    _layers: list[str]  # found when they are asked for, and shared by all views
    _sheets: dict[str, Sheet]

    def __init__(
        self,
        module: nn.Module,
        *,
        identifier: str,
        layers: Sequence[str] | None,
        batch_size: int,
        device: str | None,
        cache: bool,
        sheets: Sequence[Sheet] = (),
        readout: Readout = EVERYTHING,
    ) -> None:
        self.device = _device(device or _best_device(), identifier)
        settings = {
            "module": module,
            "identifier": identifier,
            "layers": layers,
            "batch_size": batch_size,
            "cache": cache,
            "sheets": sheets,
            "readout": readout,
            "lesions": (),
        }
        vars(self).update(self._checked(settings))
        self.module = module.to(self.device)

    def _known(self) -> set[str]:
        return super()._known() | {"layers", "sheets"}

    def _checked(self, settings: dict[str, Any]) -> dict[str, Any]:
        kept = vars(self) | settings
        name, module, readout, device = (kept[one] for one in ("identifier", "module", "readout", "device"))
        if not isinstance(module, nn.Module):
            raise UserError(f"{name}: expected a torch.nn.Module, not {type(module).__name__}")
        if not isinstance(kept["batch_size"], (int, np.integer)) or kept["batch_size"] < 1:
            raise UserError(f"{name}: batch_size must be at least 1, not {kept['batch_size']!r}")
        if not isinstance(readout, Readout):
            raise UserError(
                f"{name}: {readout!r} is no readout: give Readout(pool=...) with 'none', 'mean' or 'max'"
            )
        if not isinstance(device, torch.device):
            if _device(device, name) != self.device:
                raise UserError(
                    f"{name}: a view shares its weights, which lie on {self.device}: "
                    f"name device={device!r} where the model is made"
                )
            kept["device"] = self.device
        if "layers" in settings:
            kept["_layers"] = _names(kept.pop("layers") or ())
        if "sheets" in settings:
            kept["_sheets"] = {sheet.layer: sheet for sheet in kept.pop("sheets")}
        lesioned = [lesion.layer for lesion in kept["lesions"]]
        check_layers(module, [*kept["_layers"], *kept["_sheets"], *lesioned], name)
        return kept

    def with_readout(self, readout: Readout) -> Self:
        """A view that keeps something else of its layers.

        Parameters
        ----------
        readout : Readout
        """
        return self.replaced(readout=readout)

    def with_lesions(self, *lesions: Intervention) -> Self:
        """A view with these lesions, after those that this one has.

        Parameters
        ----------
        lesions : Lesion
        """
        return self.replaced(lesions=(*self.lesions, *lesions))

    @contextmanager
    def running(self) -> Iterator[nn.Module]:
        """The module in evaluation mode with this view's lesions, for forward passes of one's own.

        No other thread runs it through brodmann while the block does.
        """
        with alone(self.module, self.lesions):
            yield self.module.eval()

    @property
    def layers(self) -> list[str]:
        """The layers that are scored when none are named, in forward order."""
        if not self._layers:
            self._layers[:] = forward_order(self.module, lambda: self._forward(self._probe()), depth=2)
        return list(self._layers)

    def shapes(self, layers: Sequence[str] | None = None) -> dict[str, tuple[int, ...]]:
        """The shape of what is read of each layer for one stimulus, in forward order, from a small input.

        Parameters
        ----------
        layers : sequence of str, optional
            ``layers`` by default.
        """
        names = self._asked(layers)
        batch = self._probe()
        found, order = self._recorded(names, batch)
        return {name: tuple(self._kept(found[name], batch, name).shape[1:]) for name in dict.fromkeys(order)}

    def every_layer(self) -> list[str]:
        """All modules that answer with a tensor, at any depth, in forward order: what can be asked for."""
        return forward_order(self.module, lambda: self._forward(self._probe()), depth=99)

    def sheet(self, layer: str) -> Sheet | None:
        """Where the layer's units lie; see :meth:`Model.sheet`."""
        check_layers(self.module, [layer], self.identifier)
        return self._sheets.get(layer)

    def control_sheet(self, layer: str, *, random_state: int | None = None) -> Sheet:
        """A layout for any layer, to compare a topographic one with: units in their order on a grid, or shuffled.

        Parameters
        ----------
        layer : str
            A feature map gives a sheet of its channels, anything else one of its units.
        random_state : int, optional
            Seed of the shuffle; without it units keep their order. That is no neutral control in a transformer, whose
            heads are contiguous.
        """
        shape = self.shapes([layer])[layer]
        reads: Literal["unit", "channel"] = "channel" if len(shape) > 1 else "unit"
        n_units = shape[0] if len(shape) == 3 else shape[-1]  # (channels, rows, columns); (tokens, units)
        sheet = grid_sheet(layer, n_units, reads=reads)
        return sheet if random_state is None else sheet.permuted(random_state)

    @property
    def digest(self) -> str:  # type: ignore[override]
        """sha256 over weights, buffers, architecture, preprocessing and readout: values, parameters and code.

        Found anew each time, because the module may have been trained on since.
        """
        return self._made.digest

    @property
    def numerics(self) -> dict[str, str]:  # type: ignore[override]
        """Device class, precision, and the versions of the packages that compute."""
        half = {"half": str(self._half())} if self.readout.half else {}
        return {
            "device": self.device.type,
            "matmul": precision_of_products(self.device),
            "torch": package_version("torch"),
            **half,
            **self._made.versions,
        }

    @property
    def methods(self) -> dict[str, Any]:
        """See :attr:`Model.methods`: how layers are pooled, projected or changed, where they are."""
        said: dict[str, Any] = {}
        if words := self.readout.describe():
            said["reading"] = words
        if self.lesions:
            said["lesions"] = len(self.lesions)
        if words := precision.describe(
            self.module, self.stored_in, self._half() if self.readout.half else None
        ):
            said["weights"] = words
        return said

    @property
    def _made(self) -> Fingerprint:
        beside = self._reading(), self.readout, self.lesions
        return network_fingerprint(type(self), self.module, *beside)

    def sizes(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, readout: Readout | None = None
    ) -> dict[str, int]:
        """How many units each layer has, found on one stimulus; see :meth:`extract`."""
        if readout is not None:
            return self.with_readout(readout).sizes(stimuli, layers)
        shapes, _ = self._look(stimuli, self._asked(layers))
        return {name: int(np.prod(shape)) for name, shape in shapes.items()}

    def extract(
        self,
        stimuli: "StimulusSet",
        layers: Sequence[str] | None = None,
        *,
        context: Context = "none",
        readout: Readout | None = None,
    ) -> dict[str, xr.DataArray]:
        """Activations to a stimulus set; see :meth:`Model.extract`.

        Parameters
        ----------
        stimuli, layers, context
            As there.
        readout : Readout, optional
            What is kept of a layer; the model's own by default.

        Raises
        ------
        UserError
            For an unknown layer, stimuli that cannot be read, values that are not finite, or a full disk.
        """
        if readout is not None:
            return self.with_readout(readout).extract(stimuli, layers, context=context)
        names = self._asked(layers)
        values: dict[str, activation_cache.Values] = {}
        notes: dict[str, dict[str, Any]] = {}
        keys: dict[str, str] = {}
        if self.cache:
            own, shown = digest_of(self.digest, self.numerics), stimuli_digest(stimuli)
            keys = {name: digest_of(own, name, shown, context) for name in names}
            for name, key in keys.items():
                known = activation_cache.find(key)
                if known is not None:
                    values[name], notes[name] = known
        missing = [name for name in names if name not in values]
        if missing:
            shapes, stop = self._look(stimuli, missing)
            sizes = {name: (len(stimuli), int(np.prod(shapes[name]))) for name in missing}
            left_out = self._left_out(stimuli, context)
            notes |= {name: self._note(name, shapes[name], stimuli, left_out) for name in missing}
            if self.cache:
                by_key = {keys[name]: notes[name] for name in missing}
                on_disk = {keys[name]: sizes[name] for name in missing}
                plan = digest_of(self.batch_size, len(stimuli))
                with activation_cache.writing(on_disk, by_key, plan=plan, dtype=self.readout.dtype) as arrays:
                    growing = {name: arrays[keys[name]] for name in missing}
                    held = partial(activation_cache.all_hold, growing)
                    batches = self._passes(missing, stimuli, context, stop, held)
                    activation_cache.fill(growing, batches, overlap=self.overlaps)
                values |= {
                    name: np.load(activation_cache.path_of(keys[name]), mmap_mode="r") for name in missing
                }
            else:
                fresh = {name: np.empty(sizes[name], self.readout.dtype) for name in missing}
                for rows, batch in self._passes(missing, stimuli, context, stop):
                    for name, read in batch.items():
                        fresh[name][rows] = read
                values |= fresh
        return {name: _labeled(values[name], notes[name], stimuli) for name in names}

    def _asked(self, layers: Sequence[str] | None) -> list[str]:
        names = list(self.layers) if layers is None else _names(layers)
        if not names:
            raise UserError(f"{self.identifier}: no layers were named")
        check_layers(self.module, names, self.identifier)
        return names

    def _look(self, stimuli: "StimulusSet", names: list[str]) -> tuple[dict[str, tuple[int, ...]], Stop]:
        """Shapes per stimulus, and where a pass may stop, from one stimulus."""
        if len(stimuli) == 0:
            raise UserError(f"{self.identifier}: the stimulus set is empty")
        _, batch = next(self._batches(stimuli.iloc[:1], "none"))
        found, order = self._recorded(names, batch)
        absent = [name for name in names if name not in found]
        if absent:
            raise UserError(
                f"layer {absent[0]!r} of {self.identifier} never answered: the forward pass does not call it "
                "(a wrapped module is read at its wrapper)"
            )
        shapes = {name: tuple(self._kept(found[name], batch, name).shape[1:]) for name in names}
        return shapes, Stop(order[-1], order.count(order[-1]))

    def _kept(self, output: Tensor, batch: Any, name: str) -> Tensor:
        return self.readout.projected(self._read(output, batch, name))

    def __repr__(self) -> str:
        facts = [
            repr(self.identifier),
            self.modality,
            type(self.module).__name__,
            f"{sum(one.numel() for one in self.module.parameters()):,} parameters",
            describe_layers(self._layers) if self._layers else "layers not looked for yet",
            self.device.type,
            self.readout.describe(),
            f"lesions: {len(self.lesions)}" if self.lesions else "",
        ]
        return f"{type(self).__name__}({', '.join(filter(None, facts))})"

    @property
    def overlaps(self) -> bool:
        """Whether loading and writing go on beside the forward pass, because that runs elsewhere."""
        return self.device.type != "cpu"

    def _passes(
        self,
        names: list[str],
        stimuli: "StimulusSet",
        context: Context,
        stop: Stop,
        known: Callable[[npt.NDArray[np.intp]], bool] = lambda _: False,
    ) -> Iterator[tuple[npt.NDArray[np.intp], dict[str, activation_cache.Values]]]:
        """Rows and what each layer keeps of them, batch by batch, from the first that is not known."""
        plan = self._plan(stimuli, context)
        first = next((i for i, rows in enumerate(plan) if not known(rows)), len(plan))
        steps = track(
            self._batches(stimuli, context, skip=first), f"running {self.identifier}", total=len(plan) - first
        )
        for rows, batch in steps:
            with torch.autocast(self.device.type, self._half(), enabled=self.readout.half):
                found, _ = self._recorded(names, batch, stop)
            yield rows, {name: self._numbers(found[name], batch, name, rows, stimuli) for name in names}

    def _recorded(
        self, names: list[str], batch: Any, stop: Stop | None = None
    ) -> tuple[dict[str, Tensor], list[str]]:
        call = partial(self._forward, batch)
        return record(self.module, names, call, stop=stop, interventions=self.lesions)

    def _half(self) -> torch.dtype:
        return torch.float16 if self.device.type == "cuda" else torch.bfloat16

    def _numbers(
        self, output: Tensor, batch: Any, name: str, rows: npt.NDArray[np.intp], stimuli: "StimulusSet"
    ) -> activation_cache.Values:
        read = self._kept(output, batch, name)
        read = read.half() if self.readout.half else read.float()
        if not bool(torch.isfinite(read.sum(dtype=torch.float32))):  # one sum is cheaper than looking at each
            n_bad = int((~torch.isfinite(read)).sum())
            if n_bad:
                raise UserError(
                    f"layer {name!r} of {self.identifier} gives {n_bad} values that are NaN or infinite"
                    f"{' in half precision' if self.readout.half else ''} "
                    f"(first stimulus: {_first_bad(read, rows, stimuli)!r})"
                )
        values: activation_cache.Values = read.flatten(1).cpu().numpy()
        return values

    def _note(
        self, layer: str, shape: tuple[int, ...], stimuli: "StimulusSet", left_out: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "model": self.identifier,
            "layer": layer,
            "stimuli": getattr(stimuli, "identifier", None) or "unnamed",
            "n_stimuli": len(stimuli),
            "unit_shape": list(shape),
            "left_out": left_out,
        }

    def _left_out(self, stimuli: "StimulusSet", context: Context) -> dict[str, Any]:
        """What of the stimuli the network was not shown, counted."""
        del stimuli, context  # a picture is shown whole
        return {}

    @abstractmethod
    def _plan(self, stimuli: "StimulusSet", context: Context) -> list[npt.NDArray[np.intp]]:
        """The rows of every batch."""

    @abstractmethod
    def _batches(
        self, stimuli: "StimulusSet", context: Context, *, skip: int = 0
    ) -> Iterator[tuple[npt.NDArray[np.intp], Any]]:
        """Rows of the stimuli and the network's input for them, without the first batches."""

    @abstractmethod
    def _forward(self, batch: Any) -> Any:
        """One forward pass."""

    @abstractmethod
    def _read(self, output: Tensor, batch: Any, layer: str) -> Tensor:
        """One value a unit and stimulus, (batch, ...), from a layer's output."""

    @abstractmethod
    def _probe(self) -> Any:
        """A small input, to learn the order of the layers."""

    @abstractmethod
    def _reading(self) -> list[object]:
        """What identifies the preprocessing and the reading of a layer."""


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _device(name: str, identifier: str) -> torch.device:
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # no such name, or torch was built without it
        raise UserError(
            f"{identifier}: device {name!r} cannot be used here; leave it out, which takes {_best_device()!r}"
        ) from error


def _names(layers: Sequence[str]) -> list[str]:
    return [layers] if isinstance(layers, str) else list(dict.fromkeys(layers))


def _first_bad(read: Tensor, rows: npt.NDArray[np.intp], stimuli: "StimulusSet") -> object:
    bad = (~torch.isfinite(read)).flatten(1).any(dim=1).cpu().numpy()
    return stimuli["stimulus_id"].iloc[int(rows[bad.argmax()])]


def _labeled(values: activation_cache.Values, notes: dict[str, Any], stimuli: "StimulusSet") -> xr.DataArray:
    n_units, layer, shape = values.shape[1], notes["layer"], tuple(notes["unit_shape"])
    place = {3: ("channel", "row", "column"), 2: ("token", "channel"), 1: ("channel",)}.get(len(shape), ())
    index = np.unravel_index(np.arange(n_units), shape) if place else ()
    coordinates: dict[str, Any] = {
        name: ("neuroid", values) for name, values in zip(place, index, strict=True)
    }
    coordinates["neuroid_id"] = ("neuroid", [f"{layer}.{i}" for i in range(n_units)])
    coordinates["layer"] = ("neuroid", np.full(n_units, layer))
    coordinates["stimulus_id"] = ("presentation", stimuli["stimulus_id"].to_numpy())
    return xr.DataArray(
        values, dims=("presentation", "neuroid"), coords=coordinates, attrs=dict(notes["left_out"])
    )
