"""A network's forward passes over stimuli: the first look, the passes, and the second look at whether it is steady."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...errors import UserError
from ...progress import track
from ..model import Context, Model
from . import steadiness
from .hooks import Intervention, Recording, Stop, record
from .layer_names import LayerName, layer_name
from .precision import own_dtype
from .readout import Readout
from .transfers import on_the_host

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet

Rows = npt.NDArray[np.intp]
_REPEATED = 4  # passes of a batch, where random numbers were drawn
_SUMS = "\0sums"
_SHOWN_AGAIN = 4  # stimuli of the first batch


@dataclass
class Look:
    """What passes of single stimuli showed.

    Attributes
    ----------
    stop : Stop or None
        Where a pass may end; None where that may be another place for another stimulus.
    copied : set of str
        Layers whose tensor is overwritten before a pass ends.
    counted : dict of str to int
        How often modules are called that are read at a call from the end.
    varies : str
        A module that is called more often for one stimulus than for another.
    said : dict of str to dict
        Layer -> topic -> words for the methods.
    alone : dict of int to dict
        Row -> what is kept of each layer.
    """

    stop: Stop | None = None
    copied: set[str] = field(default_factory=set)
    counted: dict[str, int] = field(default_factory=dict)
    varies: str = ""
    said: dict[str, dict[str, str]] = field(default_factory=dict)
    alone: dict[int, dict[str, Tensor]] = field(default_factory=dict)


class Reading(Model):
    """The part of a network that runs it and reads its layers."""

    module: nn.Module
    device: torch.device
    batch_size: int
    readout: Readout
    lesions: tuple[Intervention, ...]

    def _look(
        self, stimuli: "StimulusSet", names: Sequence[str], *, ends: bool = True
    ) -> tuple[dict[str, tuple[int, ...]], Look]:
        """Shapes per stimulus and what else there is to know, from one stimulus, or two.

        The last picture of the first batch is beside most others. The last text of all batches is the longest, so that
        a module which is called once a token is called several times. Where one is, or where the pass asks for values
        (a loop that ends by what is seen), another stimulus says whether it is as often for all.
        """
        if len(stimuli) == 0:
            raise UserError(f"{self.identifier}: the stimulus set is empty")
        look, shapes, counts = Look(), {}, []
        plan = self._plan(stimuli, "none") if ends else [np.array([0])]
        texts, asks = self.modality == "language", False
        ends_at = (plan[-1][-1], plan[0][0]) if texts else (plan[0][-1], plan[0][0], plan[-1][-1])
        for row in dict.fromkeys(map(int, ends_at)):
            batch = self._single(stimuli, row)
            recording = self._recorded(names, batch, first_look=True)
            self._check_answered(names, recording, stimuli["stimulus_id"].iloc[row])
            look.copied |= recording.overwritten
            look.alone[row] = {name: self._kept(recording.tensors[name], batch, name) for name in names}
            shapes = {name: tuple(kept.shape[1:]) for name, kept in look.alone[row].items()}
            counts.append({one: recording.calls(one) for one, _ in recording.order})
            asks |= recording.asks_values and not texts
            if max(counts[0].values()) == 1 and not asks:
                break
        empty = next((name for name, shape in shapes.items() if 0 in shape), None)
        if empty is not None:
            raise UserError(
                f"layer {empty!r} of {self.identifier} has no units: it gives {shapes[empty]} a stimulus"
            )
        look.varies = next((one for one in counts[0] if any(n[one] != counts[0][one] for n in counts)), "")
        asked = self._meant(names)
        look.counted = {one.module: counts[0][one.module] for one in asked.values() if one.call < 0}
        if not look.varies and not asks and all(n == 1 for n in look.counted.values()):
            needed = {(one.module, max(one.call, 1)) for one in asked.values()}
            look.stop = Stop(*next(event for event in reversed(recording.order) if event in needed))
        for name, one in asked.items():
            look.said[name] = described(one, counts[0][one.module], recording.places[one.module], look.varies)
        return shapes, look

    def _meant(self, names: Sequence[str]) -> dict[str, LayerName]:
        modules = dict(self.module.named_modules())
        return {name: layer_name(name, modules) for name in names}

    def _check_answered(self, names: Sequence[str], recording: Recording, stimulus: object) -> None:
        for name, one in self._meant(names).items():
            n_calls = recording.calls(one.module)
            if n_calls == 0:
                raise UserError(
                    f"layer {name!r} of {self.identifier} never answered: the forward pass does not call it "
                    "(a wrapped module is read at its wrapper)"
                )
            if abs(one.call) > n_calls:
                calls = "once" if n_calls == 1 else f"{n_calls} times"
                raise UserError(
                    f"layer {name!r} of {self.identifier}: {one.module!r} is called {calls} for stimulus {stimulus!r}, "
                    f"so that there is no call {one.call}: name {one.module}@{n_calls} or an earlier one"
                )

    def _single(self, stimuli: "StimulusSet", row: int) -> Any:
        _, batch = next(self._batches(stimuli.iloc[[row]], "none"))
        return batch

    def _passes(
        self,
        names: Sequence[str],
        stimuli: "StimulusSet",
        context: Context,
        look: Look,
        known: Callable[[Rows], bool] = lambda _: False,
    ) -> Iterator[tuple[Rows, dict[str, npt.NDArray[Any]]]]:
        """Rows and what each layer keeps of them, batch by batch, from the first that is not known.

        An array is good until the next batch but one is asked for.
        """
        found = self._read_batches(names, stimuli, context, look, known)
        for rows, values in on_the_host(((rows, _with_sums(kept)) for rows, kept in found), self.device):
            sums = values.pop(_SUMS)
            for name, total in zip(names, sums, strict=True):
                if not np.isfinite(total):
                    self._check_finite(values[name], name, rows, stimuli)
            yield rows, values
            del values

    def _finite_batches(
        self,
        names: Sequence[str],
        stimuli: "StimulusSet",
        context: Context,
        look: Look,
        first: int,
    ) -> Iterator[tuple[Rows, dict[str, Tensor]]]:
        """The same as tensors where the network lies, from a batch on."""
        done = iter(range(first))
        for rows, kept in self._read_batches(
            names, stimuli, context, look, lambda _: next(done, None) is not None
        ):
            sums = _with_sums(kept)[_SUMS]
            if not bool(torch.isfinite(sums).all()):
                for name, values in kept.items():
                    self._check_finite(values.cpu().numpy(), name, rows, stimuli)
            yield rows, dict(kept)

    def _read_batches(
        self,
        names: Sequence[str],
        stimuli: "StimulusSet",
        context: Context,
        look: Look,
        known: Callable[[Rows], bool],
    ) -> Iterator[tuple[Rows, dict[str, Tensor]]]:
        """The same as tensors (rows, units) where the network lies, not yet looked at for what is not finite."""
        plan = self._plan(stimuli, context)
        first = next((i for i, rows in enumerate(plan) if not known(rows)), len(plan))
        n_passes, steady = self.readout.passes, False
        shown = [self._batches(stimuli, context, skip=first) for _ in range(n_passes)]
        for planned in track(plan[first:], f"running {self.identifier}", total=len(plan) - first):
            kept: dict[str, Tensor] = {}
            for i, batches in enumerate(shown):
                seeds = (self.readout.seed, i, planned.tolist())
                with steadiness.seeded(self.device, *seeds) if n_passes > 1 else nullcontext():
                    rows, batch = next(batches)
                    before = [] if steady else steadiness.random_state(self.device)
                    found = self._answer(names, batch, look, rows, stimuli)
                kept = {
                    name: values / n_passes if i == 0 else kept[name] + values / n_passes
                    for name, values in found.items()
                } if n_passes > 1 else found  # fmt: skip
            if not steady and n_passes == 1:
                drawn = before != steadiness.random_state(self.device)
                self._check_steady(kept, batch, look, rows, stimuli, context, drawn=drawn)
            steady = True
            numbers = self._numbers(kept, names)
            kept, found = {}, {}
            yield rows, numbers
            numbers.clear()
            batch = None  # before the next pass, which needs the room

    def _answer(
        self, names: Sequence[str], batch: Any, look: Look, rows: Rows, stimuli: "StimulusSet"
    ) -> dict[str, Tensor]:
        """What is kept of each layer in one pass."""
        recording = self._recorded(names, batch, look)
        missing = [name for name in names if name not in recording.tensors]
        if missing:
            self._check_answered(missing, recording, stimuli["stimulus_id"].iloc[int(rows[0])])
        for module, n_calls in look.counted.items():
            if look.stop is None and len(rows) > 1 and recording.calls(module) != n_calls:
                raise UserError(
                    f"{module!r} of {self.identifier} is called as often as the stimulus needs ({n_calls} and "
                    f"{recording.calls(module)} times), so that its last call is one stimulus's: set batch_size=1, or "
                    f"name a call, such as {module}@1"
                )
        kept = {name: self._kept(recording.tensors[name], batch, name) for name in names}
        recording.tensors.clear()
        return kept

    def _recorded(
        self, names: Sequence[str], batch: Any, look: Look | None = None, *, first_look: bool = False
    ) -> Recording:
        """A pass, and once more with copies where a layer was overwritten that was not before."""
        look = look or Look()
        while True:
            with torch.autocast(self.device.type, self._half(), enabled=self.readout.half):
                found = record(
                    self.module,
                    names,
                    partial(self._forward, batch),
                    stop=look.stop,
                    copied=look.copied,
                    look=first_look,
                    interventions=self.lesions,
                )
            if first_look or not found.overwritten:
                return found
            look.copied |= found.overwritten

    def _check_steady(
        self,
        kept: Mapping[str, Tensor],
        batch: Any,
        look: Look,
        rows: Rows,
        stimuli: "StimulusSet",
        context: Context,
        *,
        drawn: bool,
    ) -> None:
        """Refuse a network whose answer is another one each time, or in another batch.

        The first look and the first batch hold the same stimulus, so that this costs little: a few of a large batch are
        shown once more, in the opposite order. `drawn` says that somebody drew random numbers meanwhile: then the whole
        batch is run again.
        """
        names = list(kept)
        half = self.readout.half or own_dtype(self.module) in (torch.float16, torch.bfloat16)
        within = steadiness.Tolerances(self.device, half=half)
        self._check_inputs(stimuli, rows, batch)
        for _ in range(_REPEATED if drawn else 0):
            layer, share = steadiness.difference(kept, self._answer(names, batch, look, rows, stimuli))
            if share > within.again:
                stimulus = stimuli["stimulus_id"].iloc[int(rows[0])]
                raise steadiness.random_error(self.identifier, layer, share, stimulus)
        self._check_backwards(kept, batch, look, rows, stimuli, within)
        first = {0} if self.modality == "language" else set()
        last = {len(rows) - 1} if context == "none" else set()
        for place in sorted(first | last):
            self._check_alone(kept, batch, look, rows, stimuli, context, within, place)

    def _check_backwards(
        self,
        kept: Mapping[str, Tensor],
        batch: Any,
        look: Look,
        rows: Rows,
        stimuli: "StimulusSet",
        within: steadiness.Tolerances,
    ) -> None:
        """Compare with a few of a batch's stimuli in the opposite order, in a batch of their own."""
        names, (part, places) = list(kept), self._backwards(batch, _SHOWN_AGAIN)
        if len(rows) < 4 * _SHOWN_AGAIN or len(places) > len(rows) / 4:  # no small part of it
            return
        again = partial(self._answer, names, part, look, rows[places], stimuli)

        def apart(kept: Mapping[str, Tensor]) -> tuple[str, float]:
            some = {name: values[torch.from_numpy(places)] for name, values in kept.items()}
            return steadiness.difference(some, again(), steadiness.NOTHING)

        layer, share = apart(kept)
        if share > within.elsewhere and within.rounded:
            with steadiness.exact_products():
                layer, share = apart(self._answer(names, batch, look, rows, stimuli))
        if share > within.elsewhere:
            stimulus = stimuli["stimulus_id"].iloc[int(rows[places[0]])]
            noisy, by = steadiness.difference(again(), again())
            if by <= within.again:  # noise now and then shows in the whole batch, if anywhere
                noisy, by = steadiness.difference(kept, self._answer(names, batch, look, rows, stimuli))
            if by > within.again:
                raise steadiness.random_error(self.identifier, noisy, by, stimulus)
            raise steadiness.batch_error(self.identifier, layer, share, stimulus)

    def _check_alone(
        self,
        kept: Mapping[str, Tensor],
        batch: Any,
        look: Look,
        rows: Rows,
        stimuli: "StimulusSet",
        context: Context,
        within: steadiness.Tolerances,
        place: int,
    ) -> None:
        """Compare a stimulus of a batch with itself alone."""
        names, row = list(kept), int(rows[place])
        stimulus = stimuli["stimulus_id"].iloc[row]
        single = partial(self._answer, names, look=look, rows=rows[place : place + 1], stimuli=stimuli)

        def apart(alone: Mapping[str, Tensor] | None, kept: Mapping[str, Tensor] | None) -> tuple[str, float]:
            by_itself = alone or single(self._single(stimuli, row))
            beside = self._beside(names, batch, look, rows, stimuli, context, kept, place)
            return steadiness.difference(by_itself, beside, steadiness.NOTHING)

        layer, share = apart(look.alone.get(row), kept)
        if share > within.elsewhere and within.rounded:
            with steadiness.exact_products():
                layer, share = apart(None, None)
        if share > within.elsewhere:
            alone = look.alone.get(row) or single(self._single(stimuli, row))
            again, by = steadiness.difference(alone, single(self._single(stimuli, row)))
            if by > within.again:
                raise steadiness.random_error(self.identifier, again, by, stimulus)
            raise steadiness.batch_error(self.identifier, layer, share, stimulus)

    def _beside(
        self,
        names: Sequence[str],
        batch: Any,
        look: Look,
        rows: Rows,
        stimuli: "StimulusSet",
        context: Context,
        kept: Mapping[str, Tensor] | None,
        place: int,
    ) -> dict[str, Tensor]:
        """The answer to a stimulus of a batch beside others; `kept` where it is known."""
        if context == "none":
            answer = self._answer(names, batch, look, rows, stimuli) if kept is None else kept
            return {name: values[place : place + 1] for name, values in answer.items()}
        two = [int(rows[place]), int(rows[-1])]  # the batch holds other texts
        order, pair = next(self._batches(stimuli.iloc[two], "none"))
        answer = self._answer(names, pair, look, order, stimuli.iloc[two])
        place = order.tolist().index(0)
        return {name: values[place : place + 1] for name, values in answer.items()}

    def _check_inputs(self, stimuli: "StimulusSet", rows: Rows, batch: Any) -> None:
        """Refuse a preprocessing that makes something else of a stimulus each time."""
        del stimuli, rows, batch  # token ids are what they are

    def _kept(self, output: Tensor, batch: Any, name: str) -> Tensor:
        return self.readout.projected(self._read(output, batch, name))

    def _half(self) -> torch.dtype:
        return torch.float16 if self.device.type == "cuda" else torch.bfloat16

    def _numbers(self, kept: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
        return {
            name: (kept[name].half() if self.readout.half else kept[name].float()).flatten(1)
            for name in names
        }

    def _check_finite(self, values: npt.NDArray[Any], name: str, rows: Rows, stimuli: "StimulusSet") -> None:
        """Refuse values that are not finite; a sum of many that are may be infinite, too."""
        bad = ~np.isfinite(values)
        if bad.any():
            stimulus = stimuli["stimulus_id"].iloc[int(rows[bad.any(axis=1).argmax()])]
            raise UserError(
                f"layer {name!r} of {self.identifier} gives {int(bad.sum())} values that are NaN or infinite"
                f"{' in half precision' if self.readout.half else ''} (first stimulus: {stimulus!r})"
            )

    @abstractmethod
    def _plan(self, stimuli: "StimulusSet", context: Context) -> list[Rows]:
        """The rows of every batch."""

    @abstractmethod
    def _batches(
        self, stimuli: "StimulusSet", context: Context, *, skip: int = 0
    ) -> Iterator[tuple[Rows, Any]]:
        """Rows of the stimuli and the network's input for them, without the first batches."""

    @abstractmethod
    def _backwards(self, batch: Any, n_most: int) -> tuple[Any, Rows]:
        """A few of a batch's inputs, the last first, and the places of their stimuli in the batch."""

    @abstractmethod
    def _forward(self, batch: Any) -> Any:
        """One forward pass."""

    @abstractmethod
    def _read(self, output: Tensor, batch: Any, layer: str) -> Tensor:
        """One value a unit and stimulus, (batch, ...), from a layer's output."""


def described(meant: LayerName, n_calls: int, places: Sequence[str], varies: str = "") -> dict[str, str]:
    """Which call (``calls``) and which tensor (``tensors``) are read, in words, where there are several."""
    said = {}
    call = meant.call if meant.call > 0 else n_calls + 1 + meant.call
    if varies == meant.module:
        which = "the last call" if meant.call == -1 else f"call {meant.call}"
        said["calls"] = f"{which} for each stimulus, alone in its batch"
    elif n_calls > 1:
        said["calls"] = f"call {call} of {n_calls}"
    if meant.is_input:
        said["tensors"] = "what it is given"
    elif len(places) > 1:
        said["tensors"] = f"{meant.tensor or 'the first'} of {', '.join(places)}"
    return said


def _with_sums(kept: dict[str, Tensor]) -> dict[str, Tensor]:
    """Beside the layers the sum of each, which is finite where all is: one look a batch, when it has arrived."""
    return {**kept, _SUMS: torch.stack([one.sum(dtype=torch.float32) for one in kept.values()])}
