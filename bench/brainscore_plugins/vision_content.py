"""The files of a vision model's plugin."""

from dataclasses import dataclass
from pathlib import Path

from ... import __version__
from ...errors import UserError
from ...models.extraction.layer_names import LayerName
from ...models.extraction.preprocessing import ImagePreprocessing
from ...models.extraction.vision_model import VisionModel
from .check.measuring import drawing_source
from .network_source import network_source
from .packing import Content, filled, literal


@dataclass(frozen=True)
class Part:
    """How a plugin comes by its network: code, files and what must be installed.

    Attributes
    ----------
    code : str
        Defines ``network_and_preprocess``.
    imports, own_imports : str
        Lines of Python: of packages, of the plugin's own files.
    requirements : tuple of str
    files : mapping
    image_size : int or None
    notes : tuple of str
    """

    code: str
    imports: str
    own_imports: str
    requirements: tuple[str, ...]
    files: Content
    image_size: int | None = None
    notes: tuple[str, ...] = ()


def vision_part(model: VisionModel, name: str) -> Part:
    """The network of a model as part of a plugin.

    Parameters
    ----------
    model : VisionModel
    name : str
        As :func:`brodmann.load_model` takes it; the model's identifier where it was not loaded by name.

    Raises
    ------
    UserError
        For a model that cannot be taken along, with what would work.
    """
    if model.lesions:
        raise UserError(
            f"{model.identifier!r} has lesions, which a plugin cannot carry: export the whole network"
        )
    scheme, _, rest = name.partition(":")
    if ".py:" in name:
        return _own_file(model, name)
    if type(model.module).__module__.startswith("brodmann_user_"):
        raise UserError(
            f"{model.identifier!r} was made by a file of your own: give its name, path/to/file.py:factory"
        )
    if scheme == "timm":
        return _timm(rest)
    if scheme == "torchvision":
        return _torchvision(rest)
    return _bundled(model)


def _bundled(model: VisionModel) -> Part:
    source = network_source(model.module, model.identifier)
    seen = model.preprocess
    if not isinstance(seen, ImagePreprocessing):
        raise UserError(
            f"the preprocessing of {model.identifier!r} is a function of its own, whose source brodmann cannot copy: "
            "use brodmann.models.ImagePreprocessing, or export path/to/file.py:factory"
        )
    code = filled(
        "bundled_network",
        SIZE=literal(seen.size),
        RESIZE=literal(seen.resize),
        MEAN=literal(seen.mean),
        STD=literal(seen.std),
        INTERPOLATION=seen.interpolation.upper(),
        CONSTRUCTOR=source.constructor,
    )
    return Part(
        code,
        "",
        f"from safetensors.torch import load_file\n\nfrom .network import {', '.join(source.names)}\n",
        ("numpy", "pillow", "safetensors", "torch"),
        {"network.py": source.file, "weights.safetensors": source.weights},
        image_size=seen.size,
    )


def _timm(name: str) -> Part:
    imports = "import timm"
    own = "from timm.data import create_transform, resolve_model_data_config\n"
    note = "the weights are not in the plugin: timm downloads them when the model is loaded"
    code = filled("timm_network", NAME=literal(name))
    return Part(code, imports, own, ("numpy", "pillow", "timm", "torch", "torchvision"), {}, notes=(note,))


def _torchvision(name: str) -> Part:
    note = "the weights are not in the plugin: torchvision downloads them when the model is loaded"
    code = filled("torchvision_network", NAME=literal(name))
    own = "from torchvision import models\n"
    return Part(code, "", own, ("numpy", "pillow", "torch", "torchvision"), {}, notes=(note,))


def _own_file(model: VisionModel, name: str) -> Part:
    file, _, factory = name.rpartition(":")
    notes = (
        "requirements.txt asks for brodmann itself, because your file does: make it installable there (a public "
        "address), or rewrite network.py without it",
        f"{Path(file).name} is copied as network.py; other files that it reads or imports are not",
    )
    return Part(
        filled("own_network", FACTORY=factory),
        "",
        f"\nfrom .network import {factory}\n",
        ("brodmann", "numpy", "pillow", "torch"),
        {"network.py": Path(file).expanduser()},
        notes=notes,
    )


def vision_content(
    part: Part, identifier: str, layers: list[str], reads: list[LayerName], bibtex: str
) -> dict[str, "str | bytes | Path"]:
    """Path inside the plugin -> content, without the numbers of its test.

    Parameters
    ----------
    part : Part
    identifier : str
        The plugin's.
    layers : list of str
    reads : list of LayerName
        What each means.
    bibtex : str
    """
    code = filled(
        "vision_model",
        IDENTIFIER_PLAIN=identifier,
        IDENTIFIER=literal(identifier),
        VERSION=__version__,
        LAYERS=literal(layers),
        READS=literal([[one.module, max(one.call, 0), one.tensor] for one in reads]),
        BIBTEX=literal(bibtex),
        NETWORK=part.code,
        IMPORTS=part.imports,
        OWN_IMPORTS=part.own_imports,
        IMAGE_SIZE=literal(part.image_size),
    )
    return {
        **part.files,
        "__init__.py": filled("model_init", DOMAIN="vision", IDENTIFIER_PLAIN=identifier),
        "model.py": code,
        "test.py": filled("vision_test", IDENTIFIER=literal(identifier), DRAWING=drawing_source()),
        "requirements.txt": "".join(f"{one}\n" for one in part.requirements),
    }
