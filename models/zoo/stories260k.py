"""A Llama of 260 000 parameters, trained on TinyStories (Karpathy's llama2.c)."""

from typing import TYPE_CHECKING

from ...install import KnownFile
from ..catalogue import ModelCard, loads

if TYPE_CHECKING:
    from ..model import Model

_ELDAN2023 = """\
@article{eldan2023,
  author = {Eldan, Ronen and Li, Yuanzhi},
  title = {{TinyStories}: How Small Can Language Models Be and Still Speak Coherent {English}?},
  journal = {arXiv},
  year = {2023},
  eprint = {2305.07759}
}"""
_FOLDER = "hf"
_FILES = {
    "config.json": "055e562ff750aa24d70704d64de4b936bb2c47671de6e62f9ba23110c5b9e8bb",
    "model.safetensors": "407a7c581bdd66972383ce9ad24857713fb98786d06ea564a2fe9b34ebe77dfd",
    "tokenizer.json": "d9bbb431a9cdb30aa643ed6afb4fc7e5c747a009b973e1cad334478358c0089a",
    "tokenizer_config.json": "f0eada4f42aa174d1f4fca302278e634b08ae13a4e8595081e7adcfc23cb5b7e",
}


@loads(
    ModelCard(
        "stories260k-llama",
        "Llama of 5 blocks and 64 units trained on TinyStories, 260 000 parameters",
        "language",
        "network",
        layers=("embed_tokens", *(f"layers.{i}" for i in range(5))),
        files=tuple(KnownFile(f"{_FOLDER}/{name}", digest) for name, digest in _FILES.items()),
        license="MIT (llama2.c's; none stated where the weights lie)",
        source="github.com/DaveBben/esp32-llm, commit 934dab4d242d259abd88678488ea3b62d4fca601, stories260K.bin, "
        "converted; described in github.com/karpathy/llama2.c, doc/stories260K.md",
        bibtex=_ELDAN2023,
    )
)
def stories260k_llama(card: ModelCard) -> "Model":
    """The network and its tokenizer of 512 pieces, in float32."""
    from .hugging_face import load_hugging_face

    return load_hugging_face(str(card.folder / _FOLDER)).replaced(identifier=card.identifier)
