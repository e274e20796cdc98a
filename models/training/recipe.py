"""What a training is: a network, its data, a strength of the topographic loss, a seed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from ...errors import UserError
from ...files import digest_of, parse_json
from ..architectures.gpt import GPT, GPTShape
from ..architectures.resnet import BasicBlock, ResNet
from ..sheet import Sheet, grid_sheet
from ..topography.topoloss import FACTOR, TopoLoss, cosine_decay, incoming_weights, linear_warm_up

Modality = Literal["vision", "language"]
Schedule = Literal["constant", "warm-up", "decay"]
SCHEDULES = {"constant": None, "warm-up": linear_warm_up, "decay": cosine_decay}
FORMAT = 1
_WIDEST = 10**5
WEIGHTS, CARD, LOG, TOKENIZER, CHECKPOINT = (
    "weights.safetensors",
    "training.json",
    "log.csv",
    "tokenizer.json",
    "checkpoint.pt",
)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training ends with, beside the data.

    Attributes
    ----------
    modality : {"vision", "language"}
    tau : float
        Strength of the topographic loss; 0 is the baseline.
    seed : int
        Of the first weights, the order of the data and its variation.
    steps, batch : int
    learning_rate, weight_decay : float
        Of AdamW; the rate warms up over 5 % of the steps and then falls as a cosine.
    factor : float
        Of the topographic loss.
    schedule : {"constant", "warm-up", "decay"}
        Of tau.
    inner_share : float
        The part of the units inside the blocks that the network is born with: the control of a network that was
        small from the start.
    size : int
        Vision: pixels a side. Language: tokens a text.
    widths : tuple of int
        Vision: channels of the four groups, then of the convolutions inside their blocks. Language: width, blocks,
        heads, vocabulary.
    n_classes : int
        Vision only.
    """

    modality: Modality
    tau: float = 0.0
    seed: int = 0
    steps: int = 0
    batch: int = 0
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    factor: float = FACTOR
    schedule: Schedule = "constant"
    inner_share: float = 1.0
    size: int = 0
    widths: tuple[int, ...] = ()
    n_classes: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        if self.modality not in _DEFAULTS:
            raise UserError(f"a training is of 'vision' or 'language', not {self.modality!r}")
        if self.schedule not in SCHEDULES:
            raise UserError(f"the schedule of tau is one of {', '.join(SCHEDULES)}, not {self.schedule!r}")
        if not 0 < self.inner_share <= 1:
            raise UserError(
                f"the share of inner units lies above 0 and not above 1, and is {self.inner_share:g}"
            )
        if self.tau < 0 or self.seed < 0:
            raise UserError(f"tau and seed are at least 0, not {self.tau:g} and {self.seed}")
        for name, value in _DEFAULTS[self.modality].items():
            given = getattr(self, name)
            if not given:
                object.__setattr__(self, name, value)
            elif isinstance(given, int) and given < 1:
                raise UserError(f"{name} must be at least 1, not {given}")
        object.__setattr__(self, "widths", tuple(self.widths))
        numbers = (self.seed, self.steps, self.batch, self.size, self.n_classes, *self.widths)
        if not all(isinstance(one, int) and not isinstance(one, bool) for one in numbers):
            raise UserError("seed, steps, batch, size, n_classes and widths are whole numbers")
        needed = len(_DEFAULTS[self.modality]["widths"])
        if len(self.widths) != needed or not all(1 <= one <= _WIDEST for one in (self.size, *self.widths)):
            raise UserError(
                f"a training of {self.modality} has {needed} widths of at least 1 and at most {_WIDEST}"
            )

    def network(self) -> nn.Module:
        """The network with the seed's first weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self._vision() if self.modality == "vision" else self._language()

    def _vision(self) -> ResNet:
        inner = [max(1, round(self.inner_share * width)) for width in self.widths[4:]]
        return ResNet(
            BasicBlock,
            (1, 1, 1, 1),
            widths=self.widths[:4],
            n_classes=self.n_classes,
            stem="small",
            inner=inner,
        )

    def _language(self) -> GPT:
        width, n_layer, n_head, vocabulary = self.widths
        inner = max(1, round(self.inner_share * 4 * width))
        return GPT(GPTShape(n_layer, n_head, width, vocabulary, self.size, n_inner=(inner,) * n_layer))

    def topographic_layers(self, network: nn.Module) -> list[str]:
        """The layers that lie on sheets: the blocks' convolutions, or the first feed-forward layers."""
        if isinstance(network, ResNet):
            return network.block_convolutions()
        assert isinstance(network, GPT)
        return network.feed_forward_layers()

    def loss(self, network: nn.Module) -> TopoLoss:
        """The topographic loss; layers whose sheet is too narrow to be blurred have none."""
        shapes = {sheet.layer: sheet.shape or (1, 1) for sheet in self.sheets(network)}
        layers = [name for name, shape in shapes.items() if min(shape) >= self.factor]
        return TopoLoss(layers, self.tau, self.factor, SCHEDULES[self.schedule])

    def sheets(self, network: nn.Module) -> list[Sheet]:
        """Where the units of those layers lie: the layout that is trained, and for the baseline their order."""
        layout = "native" if self.tau else "row-major"
        reads: Literal["unit", "channel"] = "channel" if self.modality == "vision" else "unit"
        return [
            grid_sheet(name, len(incoming_weights(network.get_submodule(name))), reads=reads, layout=layout)
            for name in self.topographic_layers(network)
        ]

    def baseline(self) -> "Recipe":
        """The same without the topographic loss."""
        return replace(self, tau=0.0)

    def key(self, data: str) -> str:
        """A digest of the recipe and its data."""
        return digest_of(FORMAT, asdict(self), data)

    @property
    def identifier(self) -> str:
        """A name for what is trained."""
        kind = f"tau{self.tau:g}" if self.tau else "baseline"
        small = "" if self.inner_share == 1 else f"-inner{self.inner_share:g}"
        return f"{self.modality}-{kind}{small}-seed{self.seed}"


_DEFAULTS: dict[str, dict[str, Any]] = {
    "vision": {
        "steps": 800,
        "batch": 128,
        "size": 32,
        "widths": (16, 32, 48, 64, 64, 100, 144, 196),
        "n_classes": 5,
    },
    "language": {"steps": 3000, "batch": 32, "size": 64, "widths": (64, 3, 4, 1024), "n_classes": 1},
}


@dataclass(frozen=True)
class Card:
    """What is written beside trained weights: the recipe, what it was trained on, how well it does."""

    recipe: Recipe
    data: str
    classes: tuple[str, ...] = ()
    results: Mapping[str, float] = field(default_factory=dict)
    made_with: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Fields that JSON can write."""
        return {
            "format": FORMAT,
            "recipe": asdict(self.recipe),
            "data": self.data,
            "classes": list(self.classes),
            "results": dict(self.results),
            "made_with": dict(self.made_with),
        }

    @classmethod
    def read(cls, path: Path) -> "Card":
        """The card of a folder that a training wrote.

        Raises
        ------
        UserError
            For a file that is absent, or that no training wrote.
        """
        try:
            content = parse_json(path.read_bytes())
            if content["format"] != FORMAT:
                raise UserError(
                    f"{path} was written by another version of brodmann (format {content['format']})"
                )
            recipe = Recipe(**content["recipe"])
            return cls(
                recipe, content["data"], tuple(content["classes"]), content["results"], content["made_with"]
            )
        except FileNotFoundError as error:
            raise UserError(
                f"{path.parent} holds no {path.name}, so it is not a folder that brodmann train wrote"
            ) from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(f"{path} is not the card of a training ({str(error)[:80]})") from error
