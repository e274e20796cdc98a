"""What vision and language networks share: settings, views, layers, extraction in one pass, the cache."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch import Tensor, nn

from ...brain_data.dataset import stimuli_digest
from ...device import device_of
from ...errors import UserError
from ...files import digest_of
from ...fingerprint import Fingerprint, package_version
from ..model import Context, checked_context, describe_layers
from ..sheet import Sheet, grid_sheet
from . import activation_cache, precision
from .gram_readout import free_bytes, gram_matrices
from .hooks import Intervention, alone, every_output, forward_order
from .labels import labeled
from .layer_names import INPUT, check_layers, check_modules
from .network_digest import network_fingerprint, precision_of_products
from .programs import readable
from .reading import Reading, described
from .readout import EVERYTHING, Readout
from .signature import described_call

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet


class Network(Reading):
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
        As :func:`~brodmann.device.devices` takes it; that in force by default, else the first that is there.
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

    cache: bool
    stored_in: str = ""
    _layers: list[str]  # found when they are asked for, and shared by all views
    _said: dict[
        str, dict[str, str]
    ]  # likewise: which call and tensor of a layer is read, where there are several
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
        self.device = _device(device, identifier)
        self._said = {}
        settings = {
            "module": readable(module, identifier),
            "identifier": identifier,
            "layers": layers,
            "batch_size": batch_size,
            "cache": cache,
            "sheets": sheets,
            "readout": readout,
            "lesions": (),
        }
        vars(self).update(self._checked(settings))
        self.module.to(self.device)

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
            wanted = _wanted(device, name)
            if wanted.type != self.device.type or wanted.index not in (None, self.device.index):
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
        check_layers(module, [*kept["_layers"], *kept["_sheets"]], name)
        check_modules(module, lesioned, name)
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
            found = forward_order(self.module, lambda: self._forward(self._probe()), depth=2)
            self._layers[:] = self._of_stimuli(found)
        return list(self._layers)

    def _of_stimuli(self, layers: list[str]) -> list[str]:
        """Those of the layers that give something of every stimulus."""
        return layers

    def shapes(self, layers: Sequence[str] | None = None) -> dict[str, tuple[int, ...]]:
        """The shape of what is read of each layer for one stimulus, in forward order, from a small input.

        Parameters
        ----------
        layers : sequence of str, optional
            ``layers`` by default.
        """
        names = self._asked(layers)
        batch = self._probe()
        recording = self._recorded(names, batch, first_look=True)
        self._check_answered(names, recording, "a small input")
        reached = self._meant(names)
        order = {event: i for i, event in enumerate(recording.order)}
        for name, one in reached.items():
            said = described(one, recording.calls(one.module), recording.places[one.module])
            if self.modality == "language":
                said.pop("calls", None)  # of another text there may be more
            self._said.setdefault(name, said)
        last = {
            name: order[one.module, one.call if one.call > 0 else recording.calls(one.module) + 1 + one.call]
            for name, one in reached.items()
        }
        return {
            name: tuple(self._kept(recording.tensors[name], batch, name).shape[1:])
            for name in sorted(names, key=last.__getitem__)
        }

    def every_layer(self) -> list[str]:
        """All that can be asked for, in forward order: modules at any depth, their calls and their tensors."""
        batch = self._probe()

        def can_be_read(tensor: Tensor) -> bool:
            try:
                return self._read(tensor, batch, "").ndim > 1
            except UserError:
                return False

        return every_output(self.module, partial(self._forward, batch), can_be_read)

    def sheet(self, layer: str) -> Sheet | None:
        """Where the layer's units lie; see :meth:`Model.sheet`."""
        check_layers(self.module, [layer], self.identifier)
        return self._sheets.get(layer)

    def sheet_of_units(self, layer: str, n_units: int) -> Sheet | None:
        """Where units lie that pass through a layer: on its own sheet, else on that of the layer of its block.

        The units of a feed-forward layer are laid out by its first linear map and read after its nonlinearity; the two
        stand in one parent module and have as many units.

        Parameters
        ----------
        layer : str
            ``MODULE#in`` for what a module is given.
        n_units : int

        Returns
        -------
        Sheet or None
            None where there is none, or several.
        """
        name = layer.removesuffix(f"#{INPUT}")
        own = self._sheets.get(name) if name == layer else None
        parent = name.rpartition(".")[0]
        beside = [own] if own else [s for at, s in self._sheets.items() if at.rpartition(".")[0] == parent]
        fitting = [one for one in beside if len(one) == n_units]
        return fitting[0] if len(fitting) == 1 else None

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
        if words := self._read_as():
            said["reading"] = words
        if self.lesions:
            said["lesions"] = len(self.lesions)
        if words := precision.describe(
            self.module, self.stored_in, self._half() if self.readout.half else None
        ):
            said["weights"] = words
        if self.readout.passes > 1:
            said["passes"] = f"mean of {self.readout.passes} passes, whose random numbers are seeded"
        if how := described_call(self.module, "pixel_values" if self.modality == "vision" else "input_ids"):
            said["arguments"] = how
        for topic in ("calls", "tensors"):
            by_words: dict[str, list[str]] = {}
            for layer, one in self._said.items():
                if topic in one:
                    by_words.setdefault(one[topic], []).append(layer)
            if by_words:
                said[topic] = "; ".join(f"{', '.join(layers)}: {words}" for words, layers in by_words.items())
        return said

    def _read_as(self) -> str:
        """What is kept of a layer, in words."""
        return self.readout.describe()

    @property
    def _made(self) -> Fingerprint:
        beside = [self._reading(), self.readout, self.lesions]
        if self.readout.passes > 1:  # such a network may depend on what is shown together
            beside.append(self.batch_size)
        return network_fingerprint(type(self), self.module, *beside)

    def sizes(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, readout: Readout | None = None
    ) -> dict[str, int]:
        """How many units each layer has, found on one stimulus; see :meth:`extract`."""
        if readout is not None:
            return self.with_readout(readout).sizes(stimuli, layers)
        shapes, _ = self._look(stimuli, self._asked(layers), ends=False)
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
        context = checked_context(context, self.identifier)
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
            shapes, look = self._look(stimuli, missing)
            reader = self.replaced(batch_size=1) if look.varies else self
            sizes = {name: (len(stimuli), int(np.prod(shapes[name]))) for name in missing}
            left_out = self._left_out(stimuli, context)
            notes |= {
                name: self._note(name, shapes[name], stimuli, left_out) | {"said": look.said[name]}
                for name in missing
            }
            if self.cache:
                by_key = {keys[name]: notes[name] for name in missing}
                on_disk = {keys[name]: sizes[name] for name in missing}
                plan = digest_of(reader.batch_size, len(stimuli))
                with activation_cache.writing(on_disk, by_key, plan=plan, dtype=self.readout.dtype) as arrays:
                    growing = {name: arrays[keys[name]] for name in missing}
                    known_already = partial(activation_cache.all_hold, growing)
                    batches = reader._passes(missing, stimuli, context, look, known_already)
                    activation_cache.fill(growing, batches, overlap=self.overlaps)
                values |= {
                    name: np.load(activation_cache.path_of(keys[name]), mmap_mode="r") for name in missing
                }
            else:
                held = {name: activation_cache.Held(sizes[name], self.readout.dtype) for name in missing}
                batches = reader._passes(missing, stimuli, context, look)
                activation_cache.fill(held, batches, overlap=self.overlaps)
                values |= {name: one.values for name, one in held.items()}
        self._said.update({name: notes[name]["said"] for name in names})
        return {name: labeled(values[name], notes[name], stimuli) for name in names}

    def gram(
        self,
        stimuli: "StimulusSet",
        layers: Sequence[str] | None = None,
        *,
        context: Context = "none",
        readout: Readout | None = None,
        held_bytes: int | None = None,
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Each layer's inner products of stimuli, of units less their mean, without storing the layer.

        Parameters
        ----------
        stimuli, layers, context, readout
            As :meth:`extract` takes them.
        held_bytes : int, optional
            For stimuli that are held while others pass by; half of what is free where the network lies by default.
            The network runs once for as many stimuli as fit, and then again from the next one on.

        Returns
        -------
        dict of str to array of shape (n_stimuli, n_stimuli)

        Raises
        ------
        UserError
            As :meth:`extract`, and for matrices that memory would not hold.
        """
        if readout is not None:
            return self.with_readout(readout).gram(stimuli, layers, context=context, held_bytes=held_bytes)
        context = checked_context(context, self.identifier)
        names = self._asked(layers)
        shapes, look = self._look(stimuli, names)
        reader = self.replaced(batch_size=1) if look.varies else self
        plan = reader._plan(stimuli, context)
        sizes = {name: int(np.prod(shapes[name])) for name in names}
        return gram_matrices(
            lambda first: reader._finite_batches(names, stimuli, context, look, first),
            plan,
            sizes,
            self.readout.dtype.itemsize,
            free_bytes(self.device) if held_bytes is None else held_bytes,
        )

    def _asked(self, layers: Sequence[str] | None) -> list[str]:
        names = list(self.layers) if layers is None else _names(layers)
        if not names:
            raise UserError(f"{self.identifier}: no layers were named")
        check_layers(self.module, names, self.identifier)
        return names

    def __repr__(self) -> str:
        facts = [
            repr(self.identifier),
            self.modality,
            type(self.module).__name__,
            f"{sum(one.numel() for one in self.module.parameters()):,} parameters",
            describe_layers(self._layers) if self._layers else "layers not looked for yet",
            self.device.type,
            self._read_as(),
            f"lesions: {len(self.lesions)}" if self.lesions else "",
        ]
        return f"{type(self).__name__}({', '.join(filter(None, facts))})"

    @property
    def overlaps(self) -> bool:
        """Whether loading and writing go on beside the forward pass, because that runs elsewhere."""
        return self.device.type != "cpu" and self.readout.passes == 1

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
    def _probe(self) -> Any:
        """A small input, to learn the order of the layers."""

    @abstractmethod
    def _reading(self) -> list[object]:
        """What identifies the preprocessing and the reading of a layer."""


def _device(name: str | None, identifier: str) -> torch.device:
    return torch.empty(0, device=_wanted(name, identifier)).device  # cuda becomes cuda:0


def _wanted(name: str | None, identifier: str) -> torch.device:
    try:
        return torch.device(device_of(name))
    except UserError as error:
        raise UserError(f"{identifier}: {error}") from error


def _names(layers: Sequence[str]) -> list[str]:
    return [layers] if isinstance(layers, str) else list(dict.fromkeys(layers))
