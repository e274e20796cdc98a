"""The contract: what every model offers, network or not."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self

from ..errors import UserError, unknown

if TYPE_CHECKING:
    import xarray as xr

    from ..brain_data.stimulus_set import StimulusSet
    from .sheet import Sheet

Context = Literal["none", "passage"] | int
"""What is read before a text: nothing, all earlier texts of its passage, or so many of them."""


def checked_context(context: object, owner: str) -> Context:
    """The same if it is one; `owner` is whom it was given to."""
    if context == "none" or context == "passage":
        return context
    number = None if isinstance(context, bool) else getattr(context, "__index__", None)
    if number is not None and number() >= 0:
        return int(number())
    raise UserError(f"{owner}: context must be 'none', 'passage' or a whole number from 0, not {context!r}")


def describe_context(context: Context) -> str:
    """What is read before a text, in words."""
    if context == "none" or context == 0:
        return "each text alone"
    if context == "passage":
        return "each text after the earlier ones of its passage"
    earlier = "one before it" if context == 1 else f"{context} before it"
    return f"each text after the {earlier} in its passage (fewer at its beginning), in a pass of its own"


class Model(ABC):
    """Something that answers stimuli with activations, layer by layer.

    It does not change: attributes are set in constructors alone, by each class its own, and other values make a view.

    Attributes
    ----------
    identifier : str
        The name under which its scores are kept.
    modality : {"vision", "language"}
    digest : str
        sha256 over what the model is: weights, architecture, preprocessing, readout.
    numerics : mapping of str to str
        What else its numbers depend on: device class, precision, versions of packages.
    made_by : tuple of str
        The modules of this package that built it.
    """

    identifier: str
    modality: Literal["vision", "language"]
    digest: str
    numerics: Mapping[str, str] = {}
    made_by: tuple[str, ...] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        """Close a model when the constructor of its own class, and with it every other, has run."""
        super().__init_subclass__(**options)
        own = vars(cls).get("__init__")

        @wraps(cls.__init__)
        def init(self: Model, *arguments: Any, **settings: Any) -> None:
            (own.__get__(self) if own else super(cls, self).__init__)(*arguments, **settings)
            if type(self) is cls:
                vars(self)["_whole"] = True

        cls.__init__ = init  # type: ignore[method-assign, assignment]

    def __setattr__(self, name: str, value: object) -> None:
        """Only constructors set attributes."""
        if "_whole" in vars(self):
            self._refuse(name)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self._refuse(name)

    def _refuse(self, name: str) -> NoReturn:
        raise AttributeError(
            f"{name!r} of {self.identifier!r} cannot be set, because a model does not change: "
            f"take a view with replaced({name}=...)"
        )

    @property
    @abstractmethod
    def layers(self) -> list[str]:
        """The layers that are scored when none are named, in forward order."""

    @abstractmethod
    def sizes(self, stimuli: "StimulusSet", layers: Sequence[str] | None = None) -> dict[str, int]:
        """How many units each layer has, found on one stimulus."""

    @abstractmethod
    def extract(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, context: Context = "none"
    ) -> "dict[str, xr.DataArray]":
        """Activations to a stimulus set.

        Parameters
        ----------
        stimuli : StimulusSet
            Images (``stimulus_paths``), or texts in a column ``sentence``, ``word`` or ``text``.
        layers : sequence of str, optional
            The model's ``layers`` by default.
        context : {"none", "passage"} or int
            Language only: each text alone, after the earlier ones of its passage (or story), or after so many of them
            in a sequence of its own, so that what comes later is never seen, whatever the network. Within a passage
            texts stand in their order in the table.

        Returns
        -------
        dict of str to DataArray
            ``(presentation, neuroid)``, float32, rows in the order of `stimuli`; ``stimulus_id`` on
            `presentation`; ``neuroid_id``, ``layer`` and the unit's place in its feature map on `neuroid`.
        """

    def surprisal_of(self, stimuli: "StimulusSet", *, context: Context = "none") -> "xr.DataArray":
        """Surprisal of each text, -ln p of its words given what stands before them, in nats.

        Parameters
        ----------
        stimuli : StimulusSet
            Texts. With a column ``target``, with which each text ends, it is the target's given the rest of the text.
        context : {"none", "passage"} or int
            What else stands before: nothing, all earlier texts of its passage or story, or so many of them.

        Returns
        -------
        DataArray
            ``(presentation, neuroid)`` with one unit, rows in the order of `stimuli`; NaN for a text that has none.
            In attrs ``left_out`` (what has none, counted by reason) and ``surprisal`` (how it was found).

        Raises
        ------
        UserError
            For a model that predicts no words.
        """
        del stimuli, context
        raise UserError(
            f"{self.identifier} gives no probabilities of words, and so no surprisal: take a causal language model, "
            "or an n-gram (5-gram:FILE)"
        )

    def predicting(self) -> Self:
        """A view that is ready to predict words: what surprisal is computed with, and kept by."""
        return self

    @property
    def methods(self) -> dict[str, Any]:
        """How stimuli are shown and layers read, by topic and in words, for the methods of a record; none as a rule."""
        return {}

    def sheet(self, layer: str) -> "Sheet | None":
        """Where the layer's units lie on the model's cortical sheet; None where the model has none."""
        del layer
        return None

    def replaced(self, **attributes: Any) -> Self:
        """A view: the same model, sharing its weights, with other values of some attributes.

        Raises
        ------
        UserError
            For an attribute that the model does not have, or a value that it cannot take.
        """
        known = self._known()
        for name in attributes:
            if name not in known:
                raise unknown(f"setting of {self.identifier}", name, known)
        view = copy(self)
        vars(view).update(self._checked(attributes))
        return view

    def _known(self) -> set[str]:
        """The attributes that a view may have otherwise: all that hold values."""
        names = (name for name in {*dir(type(self)), *vars(self)} if not name.startswith("_"))
        return {name for name in names if not hasattr(getattr(type(self), name, None), "__get__")}

    def _checked(self, settings: dict[str, Any]) -> dict[str, Any]:
        """What a model with these settings keeps; a UserError for one that it cannot take."""
        return settings

    def _asked(self, layers: Sequence[str] | None) -> list[str]:
        """The layers that are meant, all by default; a UserError for one that there is not."""
        for name in layers or ():
            if name not in self.layers:
                raise unknown(f"layer of {self.identifier}", name, self.layers)
        return list(layers or self.layers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.identifier!r}, {self.modality}, {describe_layers(self.layers)})"


def describe_layers(layers: Sequence[str]) -> str:
    """How many, the first and the last."""
    return f"{len(layers)} layers {layers[0]} ... {layers[-1]}" if len(layers) > 1 else f"layer {layers[0]}"
