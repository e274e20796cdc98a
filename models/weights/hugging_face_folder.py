"""A Hugging Face network as its files hold it: whole, in float32, of files inside its folder, within the memory."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.modules import module as registration

from ...errors import NotAvailableError, UserError, first_line, unknown
from ...memory import require
from ..extraction.precision import names

_INDEX = "model.safetensors.index.json"
_READ = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
_SETTINGS = (
    "config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "generation_config.json",
    "preprocessor_config.json", "processor_config.json", "*.index.json",
)  # fmt: skip
"""The tables that transformers reads; tokens are held against their format by a reader of their own."""
_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip
_PRECISIONS = ("float64", "float32", "float16", "bfloat16", "stored")
_ASKED = re.compile(r"(?P<name>.+)@(?P<dtype>[^/@]+)")
_COUNTS = re.compile(r"layer|depth|block|num_|^n_|heads|stage|expert")
_REPEATED = re.compile(r"layers?$|depths?$|blocks?$")
_MOST_REPEATED, _MOST_OF_A_KIND, _LARGEST = 2000, 10**6, 10**8
_FREE = re.compile(r"theta|base|max|length|token|seed|window|freq")  # numbers that make nothing larger
_DEEPEST = 64
_SMALL = 1 << 26
_MODULES_A_TENSOR, _SPARE_MODULES = 30, 2000


@dataclass(frozen=True)
class Stored:
    """What the safetensors files of a folder hold.

    Attributes
    ----------
    n_tensors, n_values : int
    dtypes : tuple of dtype
        Of its floating-point tensors, the one that most values have first.
    others : tuple of str
        The tensors of whole or complex numbers.
    """

    n_tensors: int
    n_values: int
    dtypes: tuple[torch.dtype, ...]
    others: tuple[str, ...] = ()


def asked_dtype(name: str) -> tuple[str, torch.dtype | None]:
    """A model's name without its ``@bfloat16``, and the precision to run in; None for that of the files (``@stored``).

    Without a suffix networks run in float32.
    """
    asked = None if Path(name).is_dir() else _ASKED.fullmatch(name)
    if asked is None:
        return name, torch.float32
    if asked["dtype"] not in _PRECISIONS:
        raise unknown("precision", asked["dtype"], _PRECISIONS, hint=f"known: {', '.join(_PRECISIONS)}")
    return asked["name"], None if asked["dtype"] == "stored" else getattr(torch, asked["dtype"])


def check_folder(folder: Path) -> None:
    """Refuse a folder whose files lie elsewhere, or whose settings no network can have, before any of it is read.

    Parameters
    ----------
    folder : Path
        Holds ``config.json``.

    Raises
    ------
    UserError
        Naming the file, and the entry.
    """
    if (folder / "adapter_config.json").is_file():
        raise UserError(
            f"{folder} holds an adapter, not a whole network: merge it into its base, and save that"
        )
    for path in sorted({path for pattern in _READ for path in folder.glob(pattern)}):
        _check_inside(folder, path.name, path.name)
    for path in sorted({path for pattern in _SETTINGS for path in folder.glob(pattern)}):
        content = _json(path)
        if path.name.endswith(".index.json"):
            for shard in _shards(content, path):
                _check_inside(folder, shard, path.name)
        for key, value in _entries(content, path):
            if path.name == "config.json":
                _check_number(key, value, path)
            if key in ("fast_tokenizer_files", "backbone") and isinstance(value, str):
                _check_inside(folder, value, path.name)
            if "attn_implementation" in key and isinstance(value, str) and "/" in value:
                raise UserError(f"{path} names code of elsewhere ({value!r}) for its attention: refused")
        _check_kinds(content, path)


def stored(folder: Path) -> Stored:
    """What the weights of a folder are, from the headers of their files.

    Raises
    ------
    UserError
        Where there are none, or one cannot be read.
    """
    index = folder / _INDEX
    whole = folder / "model.safetensors"
    if not whole.is_file() and not index.is_file():
        raise UserError(
            f"{folder} holds no model.safetensors: weights in other formats could execute code, "
            "so save them with save_pretrained of transformers"
        )
    files = [whole] if whole.is_file() else sorted({folder / one for one in _shards(_json(index), index)})
    n_tensors, values, others = 0, dict[torch.dtype | None, int](), list[str]()
    for path in files:
        try:
            with safe_open(path, framework="pt") as weights:
                for name in weights.keys():  # noqa: SIM118 (it is no mapping)
                    tensor = weights.get_slice(name)
                    n_tensors += 1
                    dtype = _DTYPES.get(tensor.get_dtype())
                    others += [name] * (dtype is None)
                    values[dtype] = values.get(dtype, 0) + math.prod(tensor.get_shape())
        except FileNotFoundError as error:
            raise UserError(f"{folder} lacks {path.name}, which its index names: fetch it again") from error
        except (SafetensorError, OSError, ValueError) as error:
            raise UserError(
                f"{path} is not a readable safetensors file ({first_line(error)}): fetch it again"
            ) from error
    floating = sorted((one for one in values if one is not None), key=lambda one: -values[one])
    return Stored(n_tensors, sum(values.values()), tuple(floating), tuple(others))


def from_pretrained(
    auto: Any, place: str, dtype: torch.dtype | None = torch.float32, **options: Any
) -> tuple[nn.Module, str]:
    """The whole network, in one precision; code that lies beside its weights is never run.

    Parameters
    ----------
    auto : type
        Of transformers, such as ``AutoModel``.
    place : str
        A folder, or a name of the hub.
    dtype : dtype, optional
        None for the precision of the files.
    **options
        For ``from_pretrained``.

    Returns
    -------
    Module
    str
        In which precision the files hold it.

    Raises
    ------
    UserError
        For a folder that lacks tensors, holds some of other shapes, leads elsewhere, or would not fit into memory.
    """
    folder = Path(place)
    held = None
    if folder.is_dir():
        check_folder(folder)
        held = stored(folder)
        width = max((one.itemsize for one in ([dtype] if dtype else held.dtypes)), default=4)
        require(
            held.n_values * width, f"hf:{place}", remedy="give hf:NAME@stored for the precision of its files"
        )
    options = {"use_safetensors": True, "trust_remote_code": False, "low_cpu_mem_usage": True} | options
    with _bounded(place, held):
        network, found = fetched_by_transformers(
            place,
            lambda: auto.from_pretrained(
                place,
                dtype=dtype or "auto",
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **options,
            ),
        )
    _check_whole(network, place, found)
    _check_blocks(network, place, found["unexpected_keys"])
    _check_numbers(network, place, held)
    return network, "" if held is None else names(held.dtypes)


def fetched_by_transformers(place: str, fetch: Any) -> Any:
    """What transformers makes of files that anybody may have written; where it fails, one line says so.

    Parameters
    ----------
    place : str
        For the message.
    fetch : callable
    """
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        return fetch()
    except UserError:
        raise
    except Exception as error:  # settings of any kind reach any line of transformers
        hint = "" if Path(place).is_dir() else "; give the folder of a downloaded model: hf:FOLDER"
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise NotAvailableError(f"hf:{place} cannot be loaded ({reason}){hint}") from error
    finally:
        logging.set_verbosity(verbosity)


def _check_whole(network: nn.Module, place: str, found: dict[str, Any]) -> None:
    missing = set(found["missing_keys"]) | _unfilled(network)
    # a class of transformers may read its outputs with a pooler or without; checkpoints of other tasks have none
    poolers = {name for name in missing if name.startswith("pooler.")}
    if poolers and "add_pooling_layer" in signature(type(network).__init__).parameters:
        network.pooler = None  # type: ignore[assignment]
        missing -= poolers
    # one weight under two names counts as filled under the second
    filled = {one.data_ptr() for name, one in network.state_dict().items() if name not in missing}
    tied = network.state_dict()
    missing = {name for name in missing if name not in tied or tied[name].data_ptr() not in filled}
    if missing:
        raise UserError(
            f"hf:{place} lacks {len(missing)} of the {len(tied)} tensors of its {type(network).__name__} "
            f"(first: {min(missing, key=_in_order)!r}), which would be random: fetch it again, or mend config.json"
        )
    mismatched = sorted(found["mismatched_keys"])
    if mismatched:
        name, held, needed = mismatched[0]
        raise UserError(
            f"hf:{place} holds {len(mismatched)} tensors of other shapes than its config.json says (first: {name!r} "
            f"is {tuple(held)}, not {tuple(needed)})"
        )
    if found.get("error_msgs"):
        raise UserError(f"hf:{place} cannot be loaded ({first_line(ValueError(found['error_msgs'][0]))})")


def _check_blocks(network: nn.Module, place: str, unexpected: Iterable[str]) -> None:
    """Refuse weights of blocks that follow on the network's own, which its settings leave out."""
    last: dict[tuple[str, str], int] = {}
    for name, _ in network.named_parameters(remove_duplicate=False):
        for before, number, behind in _numbers(name):
            last[before, behind] = max(last.get((before, behind), 0), number)
    more = []
    for name in unexpected:
        parts = name.split(".")
        suffixes = (".".join(parts[start:]) for start in range(len(parts)))
        if any(number > last.get((a, b), number) for one in suffixes for a, number, b in _numbers(one)):
            more.append(name)
    if more:
        raise UserError(
            f"hf:{place} holds {len(more)} tensors of blocks that its config.json leaves out (first: "
            f"{min(more, key=_in_order)!r}): mend config.json, or save the shorter network with save_pretrained"
        )


def _numbers(name: str) -> Iterator[tuple[str, int, str]]:
    """Every number in a dotted name, with what stands before and behind it."""
    parts = name.split(".")
    for place, part in enumerate(parts):
        if part.isdecimal() and place:
            yield ".".join(parts[:place]), int(part), ".".join(parts[place + 1 :])


def _check_numbers(network: nn.Module, place: str, held: Stored | None) -> None:
    """Refuse whole or complex numbers where the network has real ones, but for those that come with their scale."""
    config: Any = getattr(network, "config", None)
    if held is None or getattr(config, "quantization_config", None) is not None:
        return
    own = {name for name, one in network.named_parameters() if one.is_floating_point()}
    for name in held.others:
        parts = name.split(".")
        if parts[-1] == "weight" or any(".".join(parts[start:]) in own for start in range(len(parts))):
            raise UserError(
                f"hf:{place} holds whole or complex numbers for {name!r}, and its config.json has no "
                "quantization_config that says what they stand for: save it in float32"
            )


def _unfilled(network: nn.Module) -> set[str]:
    """What still has no values."""
    return {name for name, one in network.named_parameters() if one.is_meta}


def _in_order(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split(".")]


@contextmanager
def _bounded(place: str, held: Stored | None) -> Iterator[None]:
    """Settings that ask for far more modules than the files have tensors, or more memory than is free, stop here."""
    n_modules = n_bytes = 0
    most = None if held is None else _MODULES_A_TENSOR * held.n_tensors + _SPARE_MODULES

    def count_module(parent: nn.Module, name: str, module: nn.Module | None) -> None:
        nonlocal n_modules
        n_modules += 1
        if most is not None and n_modules > most:
            raise UserError(f"the config.json of hf:{place} asks for far more layers than its weights have")

    def count_values(parent: nn.Module, name: str, values: Tensor | None) -> None:
        nonlocal n_bytes
        if (
            values is None or not values.is_meta
        ):  # those of the files take the places of what was only planned
            return
        n_bytes += values.nelement() * values.element_size()
        if (
            held is not None
            and isinstance(values, nn.Parameter)
            and values.nelement() > 16 * held.n_values + 10**6
        ):
            raise UserError(
                f"the config.json of hf:{place} asks for a {name} of {tuple(values.shape)}, "
                "which its weights do not have"
            )
        if n_bytes > _SMALL:
            require(n_bytes, f"hf:{place}", remedy="look at its config.json")

    handles = (
        registration.register_module_module_registration_hook(count_module),
        registration.register_module_parameter_registration_hook(count_values),
        registration.register_module_buffer_registration_hook(count_values),
    )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not readable JSON ({first_line(error)}): fetch it again") from error


def _entries(content: Any, path: Path, depth: int = 0, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value of a JSON file, with the name under which it stands."""
    if depth > _DEEPEST:
        raise UserError(f"{path} is nested more than {_DEEPEST} deep: no network has such settings")
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _entries(value, path, depth + 1, name)
    elif isinstance(content, list):
        for value in content:
            yield from _entries(value, path, depth + 1, key)
    else:
        yield key, content


def _check_kinds(content: Any, path: Path) -> None:
    """Those settings that are looked at here have the kinds that they must have."""
    if not isinstance(content, dict):
        raise UserError(f"{path} is no table of settings: fetch it again")
    kinds, limit = content.get("architectures") or [], content.get("model_max_length", 1)
    if path.name == "config.json" and not (
        isinstance(kinds, list) and all(isinstance(one, str) for one in kinds)
    ):
        raise UserError(f"{path} names architectures that are no list of names: fetch it again")
    if not isinstance(limit, (int, float)):
        raise UserError(f"{path} has 'model_max_length' = {limit!r}, which is no number")


def _check_number(key: str, value: Any, path: Path) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or _FREE.search(key):
        return
    most = _MOST_OF_A_KIND if _COUNTS.search(key) else _LARGEST
    if _REPEATED.search(key):
        most = _MOST_REPEATED
    if value > most:
        raise UserError(f"{path} has {key!r} = {value:g}: no network is that large")


def _shards(content: Any, path: Path) -> list[str]:
    shards = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shards, dict) or not shards:
        raise UserError(f"{path} has no weight_map of names and files: fetch it again")
    strange = next((one for one in shards.values() if not isinstance(one, str) or not one), None)
    if None in shards.values() or strange is not None:
        raise UserError(f"{path} names {strange!r}, which is no file")
    return list(shards.values())


def _check_inside(folder: Path, name: str, said_by: str) -> None:
    """Refuse a file that is not in the folder, but for a hub's cache, whose snapshots are links to its blobs."""
    root = folder.resolve()
    place = (root / name).resolve()
    blobs = root.parents[1] / "blobs" if root.parent.name == "snapshots" else None
    inside = place.is_relative_to(root) or (blobs is not None and place.is_relative_to(blobs))
    if Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name or not inside:
        where = "is a link that leads" if name == said_by else f"names {name!r}, which lies"
        raise UserError(f"{folder / said_by} {where} out of the folder: refused")
