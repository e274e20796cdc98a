"""What is known of a model: each field once. A submission carries it, a board keeps and shows it."""

from typing import Any

from pydantic import Field

from .field_types import Address, Count, Domain, Identifier, Large, Line, Part, Text


class Card(Part):
    """What is known of a model; a field without a title is shown in a place of its own."""

    identifier: Identifier
    domain: Domain = Field(title="domain")
    title: Line = ""
    family: Line = Field(default="", title="family")
    architecture: Line = Field(default="", title="architecture")
    parameters: Large | None = Field(default=None, title="parameters")
    n_layers: Count | None = Field(default=None, title="layers")
    training_data: Line = Field(default="", title="training data")
    topographic: bool | None = Field(default=None, title="topographic")
    license: Line = Field(default="", title="licence")
    citation: Text = ""
    url: Address = ""
    notes: Text = ""


def facts_of(model: Any) -> dict[str, Any]:
    """What a network tells of itself: its size, and whether its units have places of their own."""
    module = getattr(model, "module", None)
    if module is None:
        return {}
    sheets = [model.sheet(layer) for layer in model.layers]
    return {
        "architecture": type(module).__name__,
        "parameters": sum(one.numel() for one in module.parameters()),
        "n_layers": len(model.layers),
        "topographic": any(sheet is not None and sheet.layout == "native" for sheet in sheets),
    }
