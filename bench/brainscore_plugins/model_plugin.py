"""A scored model as a Brain-Score plugin."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ...errors import UserError
from ...models.extraction.language_model import LanguageModel
from ...models.extraction.layer_names import LayerName, layer_name
from ...models.extraction.torch_model import Network
from ...models.extraction.vision_model import VisionModel
from ..results.record import Record
from .check.measuring import measured, noted, picture_set, sentence_set
from .language_content import causal_source, check_layer, language_content
from .metadata import model_bibtex, model_metadata
from .packing import METADATA, PluginFiles, given_name, plugin_name, renamed, write_plugin
from .region_map import LANGUAGE_SYSTEM, RegionMap, check_records, region_map
from .vision_content import vision_content, vision_part

if TYPE_CHECKING:
    from ...models import Model


@dataclass(frozen=True)
class _Drafted:
    """A plugin's files, before they are written."""

    content: dict[str, "str | bytes | Path"]
    layers: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    huggingface: str | None = None


def write_model_plugin(
    records: Sequence[Record],
    model: "Model | str",
    folder: str | Path,
    *,
    identifier: str | None = None,
    metadata: bool = False,
) -> PluginFiles:
    """Write a scored model as a Brain-Score plugin, a folder and a zip.

    Parameters
    ----------
    records : sequence of dict
        The stored scores of this model in a run; they choose the layer of each region.
    model : Model or str
        The model, or its name as :func:`brodmann.load_model` takes it. One's own ``file.py:factory`` is given by name.
    folder : str or Path
        Receives ``IDENTIFIER/models/IDENTIFIER/`` and ``IDENTIFIER.zip``.
    identifier : str, optional
        The plugin's name; by default the model's, with underscores.
    metadata : bool
        Write ``metadata.yml`` too, for a pull request. The zip stays without it, as the web form wants.

    Raises
    ------
    UserError
        For records of another model, a model that cannot be taken along (with what would work), a name that
        Brain-Score cannot take, or a folder that cannot be written.
    """
    network = _network(model)
    name = plugin_name(network.identifier) if identifier is None else given_name(identifier)
    notes = renamed(network.identifier if identifier is None else identifier, name)
    notes += check_records(records, network.identifier, network.digest)
    loaded_as = model if isinstance(model, str) else network.identifier
    if isinstance(network, VisionModel):
        drafted = _vision(network, loaded_as, name, region_map(records, "vision"))
    else:
        assert isinstance(network, LanguageModel)
        drafted = _language(network, name, region_map(records, "language"))
    content = dict(drafted.content)
    if metadata:
        content[METADATA] = model_metadata(name, network.module, huggingface=drafted.huggingface)
    where = Path(folder).expanduser()
    plugin, archive = write_plugin(where, "models", name, content)
    domain = network.modality
    return PluginFiles(
        name, domain, "models", where / name, plugin, archive, drafted.layers, (*notes, *drafted.notes)
    )


def _network(model: "Model | str") -> Network:
    from ...models.loading import load_model

    loaded = load_model(model) if isinstance(model, str) else model
    if not isinstance(loaded, (VisionModel, LanguageModel)):
        raise UserError(
            f"{loaded.identifier!r} is no network of torch, and Brain-Score's wrappers read no other: "
            "wrap it in brodmann.models.VisionModel, or export a network"
        )
    return loaded


def _vision(model: VisionModel, loaded_as: str, name: str, chosen: RegionMap) -> _Drafted:
    part = vision_part(model, loaded_as)
    layers = _with_committed(model, chosen)
    committed = list(dict.fromkeys(chosen.layers.values())) or layers
    content = vision_content(part, name, layers, _reads(model, layers), model_bibtex(model.identifier))
    with TemporaryDirectory() as scratch:
        stimuli = picture_set(Path(scratch))
        content["expected.json"] = _json(noted(measured(model, stimuli.iloc[:2], committed)))
    notes = (*chosen.notes, *part.notes)
    if chosen.layers:
        content[f"region_layer_map/{name}.json"] = _json(dict(chosen.layers))
    missing = [region for region in ("V1", "V2", "V4", "IT") if region not in chosen.layers]
    if missing:
        notes += (
            f"Brain-Score will choose the layer of {', '.join(missing)} on its own data: no score names it",
        )
    return _Drafted(content, dict(chosen.layers), notes)


def _with_committed(model: VisionModel, chosen: RegionMap) -> list[str]:
    """The model's own choice of layers and those that scores named, in forward order."""
    order = {layer: i for i, layer in enumerate(model.every_layer())}
    modules = dict(model.module.named_modules())
    wanted = dict.fromkeys([*model.layers, *chosen.layers.values()])
    place = {
        layer: order.get(layer, order.get(layer_name(layer, modules).module, len(order))) for layer in wanted
    }
    return sorted(wanted, key=place.__getitem__)


def _reads(model: VisionModel, layers: list[str]) -> list[LayerName]:
    """What the names mean, for a plugin that has no stimulus to count calls on."""
    modules = dict(model.module.named_modules())
    found = [layer_name(layer, modules) for layer in layers]
    counted = next((layer for layer, one in zip(layers, found, strict=True) if one.call < -1), None)
    if counted is not None:
        raise UserError(
            f"{counted!r} counts calls from the end, which a plugin cannot: count from 1, score it again"
        )
    taken = next((layer for layer, one in zip(layers, found, strict=True) if one.is_input), None)
    if taken is not None:
        raise UserError(
            f"{taken!r} is what a module is given, which a plugin cannot read: score another layer"
        )
    return found


def _language(model: LanguageModel, name: str, chosen: RegionMap) -> _Drafted:
    source = causal_source(model)
    layer = chosen.layers.get(LANGUAGE_SYSTEM)
    if layer is None:
        raise UserError(
            f"no score of {model.identifier!r} names a layer of the language network: score it on one first, e.g. "
            f"brodmann score {model.identifier} tuckute2024.netw-ridge"
        )
    check_layer(model.module, layer, model.identifier)
    committed = source.prefix + layer
    content = language_content(source, name, committed, model_bibtex(model.identifier))
    content[f"region_layer_map/{name}.json"] = _json({LANGUAGE_SYSTEM: committed})
    content["expected.json"] = _json({committed: noted(measured(model, sentence_set(), [layer]))[layer]})
    note = (
        "Brain-Score removes spaces before punctuation and reads a passage's sentences one after another: scores on "
        "its own benchmarks may differ from brodmann's"
    )
    notes = (*chosen.notes, *source.notes, note)
    return _Drafted(content, {LANGUAGE_SYSTEM: committed}, notes, source.hub)


def _json(content: object) -> str:
    return json.dumps(content, indent=1) + "\n"
