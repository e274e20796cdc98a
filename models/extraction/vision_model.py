"""Any torch module that looks at pictures."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from ...brain_data.stimuli import pictures
from ...errors import UserError
from ..model import Context
from ..sheet import Sheet
from . import decoders
from .decoding import Picture, Preprocess, decoded
from .precision import own_dtype
from .preprocessing import ImagePreprocessing
from .readout import EVERYTHING, Readout
from .signature import call_by_name
from .steadiness import input_error
from .torch_model import Network

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet

_AHEAD = 2
_MOST_READERS = 8
_LOADED_AGAIN = 8


class VisionModel(Network):
    """A torch module over pictures, its layers read with hooks.

    Parameters
    ----------
    module : torch.nn.Module
        Called with a float tensor (batch, channels, height, width).
    identifier : str
        The name under which its scores are kept.
    preprocess : callable
        PIL image (RGB) -> float tensor (channels, height, width), the same shape for every picture.
    layers : sequence of str, optional
        Dotted module names; by default the modules down to two levels, in forward order.
    batch_size : int
        Pictures a forward pass.
    device : str, optional
        As :class:`Network` takes it.
    cache : bool
        Keep activations on disk.
    sheets : sequence of Sheet
        Where units lie, for the layers that have a sheet.
    readout : Readout
        Pooling over space, projection of wide layers, half precision.

    Raises
    ------
    UserError
        For a layer that the module does not have.
    """

    modality = "vision"

    def __init__(
        self,
        module: nn.Module,
        *,
        identifier: str,
        preprocess: Preprocess,
        layers: Sequence[str] | None = None,
        batch_size: int = 64,
        device: str | None = None,
        cache: bool = True,
        sheets: Sequence[Sheet] = (),
        readout: Readout = EVERYTHING,
    ) -> None:
        self.preprocess = preprocess
        super().__init__(
            module,
            identifier=identifier,
            layers=layers,
            batch_size=batch_size,
            device=device,
            cache=cache,
            sheets=sheets,
            readout=readout,
        )

    def _plan(self, stimuli: "StimulusSet", context: Context) -> list[npt.NDArray[np.intp]]:
        del context  # pictures have none
        n_stimuli = len(stimuli)
        return [
            np.arange(start, min(start + self.batch_size, n_stimuli))
            for start in range(0, n_stimuli, self.batch_size)
        ]

    def _batches(
        self, stimuli: "StimulusSet", context: Context, *, skip: int = 0
    ) -> Iterator[tuple[npt.NDArray[np.intp], Tensor]]:
        paths = getattr(stimuli, "stimulus_paths", None)
        if not paths:
            raise UserError(
                f"{self.identifier} looks at pictures, but the stimulus set has no stimulus_paths"
            )
        ids = stimuli["stimulus_id"].tolist()
        absent = [one for one in ids if one not in paths]
        if absent:
            raise UserError(f"{len(absent)} stimuli have no picture in stimulus_paths (first: {absent[0]!r})")
        with self._decoders(len(stimuli)) as submit:
            waiting: deque[tuple[npt.NDArray[np.intp], list[Future[Tensor]]]] = deque()
            for rows in self._plan(stimuli, context)[skip:]:
                waiting.append((rows, [submit(self._picture(stimuli, int(row))) for row in rows]))
                if len(waiting) > (_AHEAD if self.overlaps else 0):
                    yield self._ready(*waiting.popleft())
            while waiting:
                yield self._ready(*waiting.popleft())

    @contextmanager
    def _decoders(self, n_pictures: int) -> Iterator[Callable[[Picture], Future[Tensor]]]:
        """What decodes pictures: processes beside a card that would wait for threads, else threads."""
        workers = self._workers(n_pictures)
        if workers is not None:
            with workers:
                yield workers.submit
            return
        one_by_one = self.readout.passes > 1  # so that random crops follow from the seed
        readers = 1 if one_by_one else min(_MOST_READERS, os.cpu_count() or 2)
        with ThreadPoolExecutor(readers) as pool:
            yield lambda picture: pool.submit(decoded, picture, self.preprocess, self.identifier)

    def _workers(self, n_pictures: int) -> decoders.Decoders | None:
        if self.overlaps and decoders.are_worth(n_pictures, self.preprocess):
            with suppress(EOFError):  # its code cannot be imported elsewhere
                return decoders.Decoders(self.preprocess, self.identifier)
        return None

    def _picture(self, stimuli: "StimulusSet", row: int) -> Picture:
        stimulus = stimuli["stimulus_id"].iloc[row]
        path = (stimuli.stimulus_paths or {})[stimulus]
        return Picture(path, stimulus, pictures.background_of(stimuli, row))

    def _ready(
        self, rows: npt.NDArray[np.intp], loading: list[Future[Tensor]]
    ) -> tuple[npt.NDArray[np.intp], Tensor]:
        tensors = [one.result() for one in loading]
        shapes = {tuple(one.shape) for one in tensors}
        if len(shapes) > 1:
            raise UserError(
                f"preprocess of {self.identifier} gives tensors of different shapes: {sorted(shapes)[0]} and "
                f"{sorted(shapes)[-1]}; resize every picture to one size"
            )
        batch = torch.stack(tensors)
        if self.device.type == "cuda":  # pinned, so that copying goes on beside computing
            return rows, batch.pin_memory().to(self.device, non_blocking=True)
        return rows, batch.to(self.device)

    def _check_inputs(self, stimuli: "StimulusSet", rows: npt.NDArray[np.intp], batch: Tensor) -> None:
        if isinstance(self.preprocess, ImagePreprocessing):
            return
        for row, shown in zip(rows[:_LOADED_AGAIN], batch, strict=False):
            again = decoded(self._picture(stimuli, int(row)), self.preprocess, self.identifier)
            again = again.to(self.device)
            if not torch.allclose(again, shown, rtol=1e-4, atol=1e-6, equal_nan=True):
                raise input_error(self.identifier, stimuli["stimulus_id"].iloc[int(row)])

    def _backwards(self, batch: Tensor, n_most: int) -> tuple[Tensor, npt.NDArray[np.intp]]:
        places = np.unique(np.linspace(0, len(batch) - 1, n_most).astype(np.intp))[::-1].copy()
        return batch[torch.from_numpy(places).to(batch.device)], places

    def _forward(self, batch: Tensor) -> Any:
        shown = batch.to(own_dtype(self.module))
        if self.readout.channels_last:
            shown = shown.contiguous(memory_format=torch.channels_last)
        return call_by_name(self.module, {"pixel_values": shown})

    def _read(self, output: Tensor, batch: Tensor, layer: str) -> Tensor:
        if output.ndim < 2 or len(output) != len(batch):
            raise UserError(
                f"layer {layer!r} of {self.identifier} gives {tuple(output.shape)} for {len(batch)} pictures: "
                "its first axis must be the batch"
            )
        rows, columns = batch.shape[-2:]
        if output.ndim == 4 and rows == columns and output.shape[1] == output.shape[2] != output.shape[3]:
            output = output.movedim(3, 1)  # channels last: of a square picture rows and columns are as many
        return self.readout.pooled(output)

    def _of_stimuli(self, layers: list[str]) -> list[str]:
        """Those with a row for every picture."""
        two = torch.cat([self._probe()] * 2)
        try:
            found = self._recorded(layers, two, first_look=True).tensors
        except UserError:  # a network of one picture at a time: who asks for a layer is told
            return layers
        return [name for name in layers if found[name].ndim > 1 and len(found[name]) == 2]

    def _probe(self) -> Tensor:
        return self.preprocess(_probe_picture())[None].to(self.device)

    @property
    def methods(self) -> dict[str, Any]:
        """See :attr:`Model.methods`: also how picture files are read."""
        return super().methods | {"pictures": pictures.SHOWN}

    def _reading(self) -> list[object]:
        """The preprocessing: its code and its parameters."""
        return [self.preprocess]


def _probe_picture() -> Image.Image:
    """Noise, for a first look at the layers."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    return Image.fromarray(noise)
