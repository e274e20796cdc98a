"""The training itself: seeded batches, checkpoints that survive a kill, a log of losses and smoothness."""

import csv
import hashlib
import io
import platform
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from ...device import card_name, device_of
from ...errors import UserError
from ...files import write_bytes, write_json
from ...progress import track
from ..topography.topoloss import TopoLoss, incoming_weights, neighbor_similarity
from .images import LabeledImages
from .recipe import CARD, CHECKPOINT, LOG, TOKENIZER, WEIGHTS, Card, Recipe
from .texts import Corpus

_SHA_BYTES = 32
_MEAN, _STD = 0.5, 0.25
_SHIFT = 2
Data = LabeledImages | Corpus


Losses = Callable[..., tuple[Tensor, Tensor]]
"""(strength of the topographic loss, what is shown, what is right) -> the task's loss, and the whole."""
_WORTH_COMPILING = 8_000
_SHARE = 2
"""Data lie on a card where they take at most this part of its free memory."""


@dataclass(frozen=True)
class _Task:
    """How a batch is drawn, which lies where the network is, and what the loss on it is."""

    batch: Callable[[int], tuple[Tensor, Tensor]]
    error: Callable[[nn.Module, Tensor, Tensor], Tensor]
    test: Callable[[nn.Module], dict[str, float]]

    def loss(self, network: nn.Module, step: int) -> Tensor:
        """The loss on the batch of a step."""
        return self.error(network, *self.batch(step))


def train(
    recipe: Recipe,
    data: Data,
    folder: Path,
    *,
    device: str | None = None,
    compiled: bool | None = None,
    half: bool = False,
    checkpoint_s: float = 30.0,
) -> Card:
    """Train a network and write its weights, card and log; an interrupted training goes on where it was.

    A batch follows from the seed and its step alone, so a training that was killed and resumed ends with the same
    bytes as one that was not (on one machine, with as many threads). A folder whose training is finished is only read.

    Parameters
    ----------
    recipe : Recipe
    data : LabelledImages or Corpus
    folder : Path
    device : str, optional
        As :func:`~brodmann.device.devices` takes it. On a graphics card in mixed precision (bfloat16), with the data
        lying there where they fit.
    compiled : bool, optional
        Run a step's losses, the topographic one among them, through ``torch.compile``; by default where it pays
        (:func:`pays_to_compile`).
    half : bool
        Write the weights in half precision.
    checkpoint_s : float
        Seconds between checkpoints.

    Raises
    ------
    UserError
        Where the folder belongs to another training, the data do not fit, or the loss is no longer finite.
    """
    where = torch.device(device_of(device))
    key = recipe.key(data.digest)
    finished = _finished(folder, recipe, data, key)
    if finished is not None:
        return finished
    network = recipe.network().to(where)
    task = _task(recipe, data, where)
    topographic = recipe.loss(network)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.98)
    )
    begun, log = _resume(folder, key, network, optimizer)
    compiled = pays_to_compile(where.type, recipe.steps - begun) if compiled is None else compiled
    losses = _losses(recipe, network, task, topographic, where.type)
    if compiled:
        losses = torch.compile(losses)
    every, saved = max(1, recipe.steps // 40), time.monotonic()
    network.train()
    for step in track(range(begun, recipe.steps), f"training {recipe.identifier}"):
        strength = topographic.strength(step / recipe.steps)
        # a number would be compiled into the graph, and the graph anew for the next one
        loss, total = losses(
            torch.tensor(strength, device=where) if compiled else strength, *task.batch(step)
        )
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * _rate(step, recipe.steps)
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % every == 0 or step == recipe.steps - 1:
            log.append(_row(step, float(loss.detach()), recipe, network))
            if not np.isfinite(log[-1]["task_loss"]):
                raise UserError(
                    f"the loss of {recipe.identifier} is no longer finite at step {step}: lower --learning-rate "
                    f"(now {recipe.learning_rate:g}) or --tau (now {recipe.tau:g})"
                )
        if time.monotonic() - saved > checkpoint_s:
            _checkpoint(folder, key, step + 1, network, optimizer, log)
            saved = time.monotonic()
    card = Card(
        recipe,
        key,
        data.classes if isinstance(data, LabeledImages) else (),
        task.test(network.eval()) | _last(log),
        _made_with(where, compiled),
    )
    _write(folder, card, network, log, data, half)
    return card


def pays_to_compile(device: str, steps: int) -> bool:
    """Whether ``torch.compile`` saves more time than it takes: on a graphics card, from 8000 steps on.

    On one H200 compiling took 25 s, and a step of the standard twin 13 ms as it is. Half of that saved, 4000 steps
    give the 25 s back; with fewer than twice as many it is not worth the risk.

    Parameters
    ----------
    device : str
        Its class, such as ``"cuda"``.
    steps : int
        Still to be made.
    """
    return device == "cuda" and steps >= _WORTH_COMPILING


def _losses(recipe: Recipe, network: nn.Module, task: _Task, topographic: TopoLoss, device: str) -> Losses:
    """Both losses of a step as one function, which can be compiled whole."""
    roughness = topographic.of(network) if recipe.tau else None

    def losses(strength: Tensor | float, shown: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss = task.error(network, shown, right)
        return loss, loss if roughness is None else loss + strength * roughness()

    return losses


def _made_with(where: torch.device, compiled: bool) -> dict[str, Any]:
    """What else the bytes of the weights depend on."""
    card = card_name(str(where))
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "device": where.type,
        **({"card": card} if card else {}),
        "autocast": "bfloat16" if where.type == "cuda" else "none",
        "compile": compiled,
    }


def _finished(folder: Path, recipe: Recipe, data: Data, key: str) -> Card | None:
    if folder.is_file():
        raise UserError(f"{folder} is a file: a training is written into a folder")
    if not (folder / CARD).is_file():
        return None
    card = Card.read(folder / CARD)
    if card.data != key:
        differs = [name for name, value in vars(card.recipe).items() if value != getattr(recipe, name)]
        what = f"another {differs[0]} ({getattr(card.recipe, differs[0])})" if differs else "other data"
        raise UserError(f"{folder} holds a training with {what}: choose another folder")
    return card


def _rate(step: int, steps: int) -> float:
    """Share of the learning rate: up over the first 5 %, then down as a cosine to a twentieth."""
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return 0.05 + 0.95 * (1 + float(np.cos(np.pi * min(done, 1.0)))) / 2


def _row(step: int, loss: float, recipe: Recipe, network: nn.Module) -> dict[str, float]:
    """A line of the log."""
    topographic = recipe.loss(network)
    with torch.no_grad():
        losses = {name: float(value) for name, value in topographic.per_layer(network).items()}
        smooth = {
            sheet.layer: float(
                neighbor_similarity(
                    incoming_weights(network.get_submodule(sheet.layer)), sheet.shape or (1, 1)
                )
            )
            for sheet in recipe.sheets(network)
        }
    mean = float(np.mean(list(losses.values()))) if losses else float("nan")
    return {
        "step": step,
        "task_loss": loss,
        "topographic_loss": mean,
        **{f"smoothness {name}": value for name, value in smooth.items()},
    }


def _last(log: list[dict[str, float]]) -> dict[str, float]:
    smooth = [value for name, value in log[-1].items() if name.startswith("smoothness ")]
    return {"topographic_loss": log[-1]["topographic_loss"], "smoothness": float(np.mean(smooth))}


def _resume(
    folder: Path, key: str, network: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, list[dict[str, float]]]:
    """The step at which to go on, and the log so far; a damaged or foreign checkpoint counts for nothing."""
    try:
        raw = (folder / CHECKPOINT).read_bytes()
    except OSError:
        return 0, []
    checksum, content = raw[:_SHA_BYTES], raw[_SHA_BYTES:]
    if hashlib.sha256(content).digest() != checksum:
        return 0, []
    kept = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    if kept["key"] != key:
        return 0, []
    network.load_state_dict(kept["network"])
    optimizer.load_state_dict(kept["optimizer"])
    return int(kept["step"]), list(kept["log"])


def _checkpoint(
    folder: Path,
    key: str,
    step: int,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    log: list[dict[str, float]],
) -> None:
    """Everything that the next step depends on, behind its sha256."""
    stream = io.BytesIO()
    content = {
        "key": key,
        "step": step,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "log": log,
    }
    torch.save(content, stream)
    raw = stream.getvalue()
    write_bytes(folder / CHECKPOINT, hashlib.sha256(raw).digest() + raw)


def _write(
    folder: Path, card: Card, network: nn.Module, log: list[dict[str, float]], data: Data, half: bool
) -> None:
    """Weights, log and tokenizer, and the card last: it says that the training is whole."""
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    state.pop("lm_head.weight", None)  # shared with the token embedding
    if half:
        state = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    write_bytes(folder / WEIGHTS, save(state))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(log[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in log)
    write_bytes(folder / LOG, text.getvalue().encode())
    if isinstance(data, Corpus):
        write_bytes(folder / TOKENIZER, data.tokenizer.encode())
    write_json(folder / CARD, card.as_json())
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _task(recipe: Recipe, data: Data, where: torch.device) -> _Task:
    if recipe.modality == "vision" and isinstance(data, LabeledImages):
        if len(data.classes) != recipe.n_classes:
            raise UserError(f"the pictures have {len(data.classes)} classes, the network {recipe.n_classes}")
        return _classification(recipe, data, where)
    if recipe.modality == "language" and isinstance(data, Corpus):
        return _next_token(recipe, data, where)
    raise UserError(f"a {recipe.modality} network cannot be trained on {type(data).__name__}")


def resident(tensors: list[Tensor], where: torch.device) -> list[Tensor]:
    """The data of a training on the card where it runs, where they fit there; else as they are.

    Parameters
    ----------
    tensors : list of tensor
    where : torch.device
    """
    if where.type != "cuda":
        return tensors
    free = torch.cuda.mem_get_info(where)[0]
    fit = sum(one.nbytes for one in tensors) <= free // _SHARE
    return [one.to(where) for one in tensors] if fit else tensors


def normalized(pixels: Tensor) -> Tensor:
    """Bytes (batch, size, size, 3) -> what the network reads, (batch, 3, size, size)."""
    return (pixels.permute(0, 3, 1, 2).float() / 255 - _MEAN) / _STD


def _classification(recipe: Recipe, data: LabeledImages, where: torch.device) -> _Task:
    train, test = np.flatnonzero(~data.held_out), np.flatnonzero(data.held_out)
    if len(train) < 2 or len(test) == 0:
        raise UserError(f"{len(train)} pictures to train and {len(test)} to test on are too few")
    pixels, labels = resident([torch.from_numpy(data.pixels), torch.from_numpy(data.labels)], where)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        generator = np.random.default_rng([recipe.seed, step])
        rows = torch.from_numpy(train[generator.integers(0, len(train), recipe.batch)]).to(pixels.device)
        shown = normalized(pixels[rows])
        down, right = (int(one) for one in generator.integers(-_SHIFT, _SHIFT + 1, 2))
        shifted = torch.roll(shown, (down, right), (2, 3)).to(where, non_blocking=True)
        return shifted, labels[rows].to(where)

    def error(network: nn.Module, shown: Tensor, right: Tensor) -> Tensor:
        return F.cross_entropy(network(shown), right)

    @torch.inference_mode()
    def score(network: nn.Module) -> dict[str, float]:
        right = np.zeros(len(data.classes))
        for start in range(0, len(test), 256):
            rows = torch.from_numpy(test[start : start + 256]).to(pixels.device)
            guesses = network(normalized(pixels[rows]).to(where)).argmax(1).to(labels.device)
            hits = labels[rows][guesses == labels[rows]].cpu().numpy()
            right += np.bincount(hits, minlength=len(right))
        shown = np.bincount(data.labels[test], minlength=len(right))
        by_class = {
            f"accuracy {name}": float(right[i] / shown[i]) for i, name in enumerate(data.classes) if shown[i]
        }
        return {"accuracy": float(right.sum() / len(test)), "n_test": float(len(test)), **by_class}

    return _Task(batch, error, score)


def _next_token(recipe: Recipe, data: Corpus, where: torch.device) -> _Task:
    train, test = resident([torch.from_numpy(data.train), torch.from_numpy(data.held_out)], where)
    length = recipe.size
    if len(train) <= length + 1 or len(test) <= length + 1:
        raise UserError(f"{len(train)} and {len(test)} tokens are too few for texts of {length}")
    places = torch.arange(length + 1, device=train.device)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        generator = np.random.default_rng([recipe.seed, step])
        starts = torch.from_numpy(generator.integers(0, len(train) - length - 1, recipe.batch))
        tokens = train[starts.to(train.device)[:, None] + places].to(where, non_blocking=True)
        return tokens[:, :-1], tokens[:, 1:]

    def error(network: nn.Module, shown: Tensor, right: Tensor) -> Tensor:
        return F.cross_entropy(network(shown).flatten(0, 1), right.flatten())

    @torch.inference_mode()
    def score(network: nn.Module) -> dict[str, float]:
        starts = torch.arange(0, len(test) - length - 1, length, device=test.device)
        total = 0.0
        for first in range(0, len(starts), 64):
            some = starts[first : first + 64]
            tokens = test[some[:, None] + places].to(where)
            logits = network(tokens[:, :-1]).flatten(0, 1)
            total += float(F.cross_entropy(logits, tokens[:, 1:].flatten(), reduction="sum"))
        n_tokens = len(starts) * length
        bits = total / np.log(2) / (data.n_bytes * n_tokens / len(test))
        return {"loss": total / n_tokens, "bits_per_byte": float(bits), "n_test": float(n_tokens)}

    return _Task(batch, error, score)


def evaluate(recipe: Recipe, data: Data, network: nn.Module) -> dict[str, float]:
    """The task score of a network on the held-out part: accuracy, or loss and bits a byte.

    Parameters
    ----------
    recipe : Recipe
    data : LabelledImages or Corpus
    network : Module
        In evaluation mode, on any device.
    """
    where = next(network.parameters()).device
    return _task(recipe, data, where).test(network)


def recalibrated(network: nn.Module, data: Data, n_images: int = 1000) -> nn.Module:
    """A copy whose batch norms know the mean and variance of what they now see, from training pictures, no labels.

    Copied or removed weights shift what a batch norm was fitted to; this is done after every kind of compression,
    for controls too. A network without batch norms comes back as it is.
    """
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    if not norms or not isinstance(data, LabeledImages):
        return network
    copy = deepcopy(network)
    for one in copy.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.reset_running_stats()
            one.momentum = None  # the plain mean over batches
    where = next(copy.parameters()).device
    shown = torch.from_numpy(data.pixels[~data.held_out][:n_images])
    copy.train()
    with torch.no_grad():
        for start in range(0, len(shown), 250):
            copy(normalized(shown[start : start + 250]).to(where))
    return copy.eval()


def read_log(folder: Path) -> dict[str, list[float]]:
    """The log of a training: column -> values."""
    with (folder / LOG).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}
