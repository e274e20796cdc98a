"""Any torch module that looks at pictures."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from ...errors import UserError
from ..model import Context
from ..sheet import Sheet
from .precision import own_dtype
from .preprocessing import ImagePreprocessing
from .readout import EVERYTHING, Readout
from .signature import call_by_name
from .steadiness import input_error
from .torch_model import Network

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet

Preprocess = Callable[[Image.Image], Tensor]
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
        The first of cuda, mps, cpu that is there by default.
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
        one_by_one = self.readout.passes > 1  # so that random crops follow from the seed
        readers = 1 if one_by_one else min(_MOST_READERS, os.cpu_count() or 2)
        with ThreadPoolExecutor(readers) as pool:
            waiting: deque[tuple[npt.NDArray[np.intp], list[Future[Tensor]]]] = deque()
            for rows in self._plan(stimuli, context)[skip:]:
                waiting.append((rows, [pool.submit(self._load, ids[row], paths[ids[row]]) for row in rows]))
                if len(waiting) > (_AHEAD if self.overlaps else 0):
                    yield self._ready(*waiting.popleft())
            while waiting:
                yield self._ready(*waiting.popleft())

    def _load(self, stimulus: object, path: Any) -> Tensor:
        try:
            with Image.open(path) as image:
                picture = _rgb(image)
        except FileNotFoundError as error:
            raise UserError(f"the picture of stimulus {stimulus!r} is not there: {path}") from error
        # PIL's readers answer a damaged file with any of these
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(
                f"the picture of stimulus {stimulus!r} cannot be read ({path}): {error}"
            ) from error
        pixels = self.preprocess(picture)
        if not isinstance(pixels, Tensor) or pixels.ndim != 3:
            shape = tuple(pixels.shape) if isinstance(pixels, Tensor) else type(pixels).__name__
            raise UserError(
                f"preprocess of {self.identifier} must give a tensor (channels, height, width), not {shape}"
            )
        return pixels

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
        ids = stimuli["stimulus_id"].iloc[rows[:_LOADED_AGAIN]].tolist()
        for one, shown in zip(ids, batch, strict=False):
            again = self._load(one, (stimuli.stimulus_paths or {})[one]).to(self.device)
            if not torch.allclose(again, shown, rtol=1e-4, atol=1e-6, equal_nan=True):
                raise input_error(self.identifier, one)

    def _forward(self, batch: Tensor) -> Any:
        return call_by_name(self.module, {"pixel_values": batch.to(own_dtype(self.module))})

    def _read(self, output: Tensor, batch: Tensor, layer: str) -> Tensor:
        if output.ndim < 2 or len(output) != len(batch):
            raise UserError(
                f"layer {layer!r} of {self.identifier} gives {tuple(output.shape)} for {len(batch)} pictures: "
                "its first axis must be the batch"
            )
        return self.readout.pooled(output)

    def _probe(self) -> Tensor:
        return self.preprocess(_probe_picture())[None].to(self.device)

    def _reading(self) -> list[object]:
        """The preprocessing: its code and its parameters."""
        return [self.preprocess]


def _rgb(image: Image.Image) -> Image.Image:
    """A picture in 8-bit RGB. PIL alone would clip 16 bits at 255 and show nearly all of it white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("it has 32 bits a pixel, and what is white is not known; save it with 8 bits")
    return image.convert("RGB")


def _probe_picture() -> Image.Image:
    """Noise, for a first look at the layers."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    return Image.fromarray(noise)
