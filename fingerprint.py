"""What an object is and does, as one digest: its values, its code, and the code and values that this refers to."""

import copyreg
import dis
import functools
import gc
import hashlib
import importlib.util
import inspect
import json
import sys
import sysconfig
import types
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path, PurePath
from threading import Lock, RLock
from typing import Any

import numpy as np

from .files import digest_of
from .source_digest import code_digest

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))
_CONTAINERS = (list, tuple, dict, set, frozenset, types.MappingProxyType)
_WRAPPERS: dict[type, tuple[str, ...]] = {
    functools.partial: ("func", "args", "keywords"),
    types.MethodType: ("__func__", "__self__"),
    property: ("fget", "fset"),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    Field: ("name", "default", "default_factory"),
}
_BY_NAME = (np.dtype, PurePath, types.GenericAlias, types.UnionType)
_WITHOUT_STATE = (type(Lock()), type(RLock()), weakref.ReferenceType, types.MemberDescriptorType)
_NOT_CODE = {"__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__firstlineno__",
             "__static_attributes__", "__dataclass_params__", "_abc_impl"}  # fmt: skip
_NOT_OF_A_TOKENIZER = {"_tokenizer", "_vocab", "_merges", "_special_tokens_map", "init_inputs", "init_kwargs",
                       "name_or_path", "vocab_file", "files_loaded", "deprecation_warnings",
                       "_in_target_context_manager"}  # fmt: skip
"""What stands in its content already, where it was read from, and what calls leave behind."""
_LIBRARIES = tuple(
    str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


@dataclass(frozen=True)
class Fingerprint:
    """A digest, and the installed packages that it leaves to their versions.

    Attributes
    ----------
    digest : str
    packages : frozenset of str
        Top-level names of the packages whose code is used and not read.
    """

    digest: str
    packages: frozenset[str]

    @property
    def versions(self) -> dict[str, str]:
        """The versions of these packages."""
        return {name: package_version(name) for name in sorted(self.packages)}


def fingerprint(*objects: object) -> Fingerprint:
    """A digest that differs wherever two objects would compute something else.

    Seen are an object's values (whole arrays and tensors, closures, defaults, the arguments of a partial), the code of
    its class and of the functions it is made of, and the functions, classes and values that this code names. The code
    of this package is read by module, a person's own as it was compiled. Installed packages count by name, with their
    versions apart. An object whose state cannot be read gets a digest that nothing else has, so that nothing that was
    kept for it is ever taken again.

    Parameters
    ----------
    objects : object

    Returns
    -------
    Fingerprint
    """
    walk = _Walk()
    return Fingerprint(digest_of(*(walk.of(one) for one in objects)), frozenset(walk.packages))


def is_installed_code(kind: type) -> bool:
    """Whether a class is an installed package's, and neither this package's nor a person's own."""
    module = sys.modules.get(kind.__module__)
    return module is not None and not _own(kind.__module__) and _is_library(module)


@functools.lru_cache(maxsize=256)
def package_version(name: str) -> str:
    """The version of the distribution that a top-level package belongs to; empty where it has none."""
    for distribution in _distributions().get(name, [name]):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return ""


@functools.lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


@dataclass
class _Walk:
    """One walk over objects; what was met before counts by its place."""

    packages: set[str] = field(default_factory=set)
    _met: dict[int, tuple[int, object]] = field(default_factory=dict)
    _n_met: int = 0

    def of(self, value: object) -> object:
        """What stands for a value in the digest."""
        kind = type(value)
        if kind in _PLAIN or (
            isinstance(value, _PLAIN) and (_own(kind.__module__) or is_installed_code(kind))
        ):
            return [kind.__name__, repr(value)]
        if value is np.random.mtrand._rand:  # everybody's, whose state is no object's own
            return ["global random state"]
        if isinstance(value, np.ma.MaskedArray):
            return ["masked", self._array(np.asarray(value.data)), self._array(np.asarray(value.mask))]
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(np.asarray(value))
        if _is_tensor(value):
            return self._tensor(value)
        if id(value) in self._met:
            return ["met", self._met[id(value)][0]]
        self._n_met += 1
        self._met[id(value)] = self._n_met, value
        found = self._first(value)
        if type(value) in _CONTAINERS:  # equal ones may be one or several, and mean the same
            del self._met[id(value)]
        return found

    def _first(self, value: Any) -> object:
        if isinstance(value, types.ModuleType):
            return self._module(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        for kind, parts in _WRAPPERS.items():
            if isinstance(value, kind):
                return [kind.__name__, *(self.of(getattr(value, part)) for part in parts)]
        if isinstance(value, np.ufunc):  # one of np.frompyfunc holds a function
            return ["ufunc", value.__name__, *map(self.of, filter(callable, gc.get_referents(value)))]
        if isinstance(value, types.BuiltinFunctionType):
            owner = getattr(value, "__self__", None)  # a module, or the object whose method it is
            return ["builtin", getattr(value, "__module__", ""), value.__name__, self.of(owner)]
        if isinstance(value, _BY_NAME):
            return [type(value).__name__, str(value)]
        if isinstance(value, _WITHOUT_STATE):
            return [type(value).__name__]
        if type(value) in (list, tuple):
            return [type(value).__name__, *map(self.of, value)]
        if isinstance(value, (set, frozenset)):
            return ["set", *sorted(digest_of(self.of(one)) for one in value)]
        if type(value) in (dict, types.MappingProxyType):
            return ["mapping", *([self.of(key), self.of(item)] for key, item in value.items())]
        if hasattr(value, "backend_tokenizer"):
            return self._tokenizer(value)
        if (table := _table(value)) is not None:
            return [type(value).__name__, *map(self.of, table)]
        return [self.of(type(value)), *self._state(value)]

    def _array(self, value: np.ndarray[Any, Any]) -> object:
        if value.dtype.hasobject:
            return ["array", list(value.shape), *map(self.of, value.ravel().tolist())]
        raw = np.ascontiguousarray(value).tobytes()
        return ["array", str(value.dtype), list(value.shape), hashlib.sha256(raw).hexdigest()]

    def _tensor(self, value: Any) -> object:
        import torch

        plain = value.detach().cpu()
        plain = plain if plain.layout == torch.strided else plain.to_dense()
        flat = plain.resolve_conj().resolve_neg().contiguous().reshape(-1)
        raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
        return ["tensor", str(value.dtype), list(value.shape), hashlib.sha256(raw).hexdigest()]

    def _items(self, value: Mapping[Any, Any]) -> Iterator[object]:
        keyed = ((digest_of(self.of(key)), item) for key, item in value.items())
        for key, item in sorted(keyed, key=lambda pair: pair[0]):
            yield [key, self.of(item)]

    def _module(self, module: types.ModuleType) -> object:
        if _own(module.__name__) or not _is_library(module):
            return ["module", module.__name__]  # what is used of it is read where it is used
        self.packages.add(module.__name__.partition(".")[0])
        return ["package", module.__name__]

    def _place(self, name: str, qualified: str) -> list[object] | None:
        """A class or function of this package or of an installed one; None for a person's own."""
        if _own(name):
            return [qualified, code_digest([name.partition(".")[2]])]
        module = sys.modules.get(name)
        if module is None or not _is_library(module):
            return None
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names:
            self.packages.add(top)
        return [name, qualified]

    def _class(self, kind: type) -> object:
        known = self._place(kind.__module__, kind.__qualname__)
        if known is not None:
            return ["class", *known]
        own = {name: part for name, part in vars(kind).items() if name not in _NOT_CODE}
        above = [self.of(base) for base in (*kind.__bases__, *({type(kind)} - {type}))]
        return ["class", kind.__qualname__, above, *self._items(own)]

    def _function(self, function: types.FunctionType) -> object:
        # where its code was written: a wrapper may bear the name of what it wraps
        known = self._place(str(function.__globals__.get("__name__", "")), function.__code__.co_qualname)
        bound = inspect.getclosurevars(function).nonlocals if function.__closure__ else {}
        values = [
            *self._items(bound),
            self.of(function.__defaults__),
            self.of(function.__kwdefaults__ and dict(function.__kwdefaults__)),
            *self._items(vars(function)),
        ]
        if known is not None:
            return ["function", *known, *values]
        return ["function", *self._code(function.__code__), *values, *self._named(function)]

    def _code(self, code: types.CodeType) -> list[object]:
        constants = [
            self._code(one) if isinstance(one, types.CodeType) else self.of(one) for one in code.co_consts
        ]
        return [code.co_code.hex(), constants, code.co_names, code.co_varnames, code.co_freevars]

    def _named(self, function: types.FunctionType) -> Iterator[object]:
        """The globals that a function's code names, and what it takes from modules among them."""
        names = sorted(_names(function.__code__))
        for name in names:
            if name not in function.__globals__:
                continue
            value = function.__globals__[name]
            yield [name, self.of(value)]
            if isinstance(value, types.ModuleType):
                yield from self._used(value, names)
        for name in sorted(_imported(function.__code__)):
            yield [name, self._to_be_imported(name)]

    def _to_be_imported(self, name: str) -> object:
        """A module that a function imports when it runs: a person's own counts by its source."""
        try:
            found = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            return ["absent"]
        file = None if found is None else found.origin
        if file is None or _own(name) or file.startswith(_LIBRARIES) or not Path(file).is_file():
            return code_digest([name.partition(".")[2]]) if _own(name) and "." in name else ["package"]
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()

    def _used(self, module: types.ModuleType, names: Sequence[str]) -> Iterator[object]:
        """What code takes from a module that is no installed package."""
        if _is_library(module) and not _own(module.__name__):
            return
        for name in sorted(set(names) & set(dir(module))):
            value = getattr(module, name)
            yield [name, self.of(value)]
            if isinstance(value, types.ModuleType):
                yield from self._used(value, [other for other in names if other != name])

    def _tokenizer(self, value: Any) -> object:
        """The whole of a tokenizer, less what a call with other lengths leaves behind in it."""
        content = json.loads(value.backend_tokenizer.to_str())
        content.pop("truncation", None)
        content.pop("padding", None)
        special = sorted((name, str(token)) for name, token in value.special_tokens_map.items())
        own = {name: one for name, one in vars(value).items() if name not in _NOT_OF_A_TOKENIZER}
        return [self.of(type(value)), digest_of(content), special, *self._items(own)]

    def _state(self, value: Any) -> Iterator[object]:
        if isinstance(value, _PLAIN):
            plain: Any = next(kind for kind in _PLAIN if isinstance(value, kind))
            yield plain.__repr__(value)
        if isinstance(value, (list, tuple)):
            yield from map(self.of, value)
        elif isinstance(value, dict):
            yield self.of(getattr(value, "default_factory", None))
            yield from ([self.of(key), self.of(item)] for key, item in value.items())
        attributes = {
            name: one
            for name, one in (getattr(value, "__dict__", None) or {}).items()
            if not isinstance(getattr(type(value), name, None), functools.cached_property)
        }
        for kind in type(value).__mro__:
            slots = vars(kind).get("__slots__", ())
            for slot in [slots] if isinstance(slots, str) else slots:
                if hasattr(value, slot):
                    attributes[slot] = getattr(value, slot)
        if attributes or isinstance(value, (*_PLAIN, list, tuple, dict)):
            yield from self._items(attributes)
        elif type(value).__init__ is not object.__init__ or not hasattr(value, "__dict__"):
            yield from self._pickled(value)

    def _pickled(self, value: Any) -> Iterator[object]:
        """The state of an object that Python does not see into, as pickle would keep it."""
        try:
            known = copyreg.dispatch_table.get(type(value))
            reduced = known(value) if known else value.__reduce_ex__(4)
        except Exception:  # it says so with whatever its authors chose
            yield ["unreadable", uuid.uuid4().hex]
            return
        parts: Sequence[object] = (reduced,) if isinstance(reduced, str) else reduced
        for part in parts:
            if isinstance(part, Iterator):
                yield [self.of(one) for one in part]
            else:
                yield self.of(part)


def _table(value: Any) -> list[object] | None:
    """What a table or a labelled array holds; None for anything else."""
    pandas, xarray = sys.modules.get("pandas"), sys.modules.get("xarray")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return [
            value.index.to_numpy(),
            [(name, value[name].to_numpy()) for name in value.columns],
            value.attrs,
        ]
    if pandas is not None and isinstance(value, (pandas.Series, pandas.Index)):
        return [value.name, value.to_numpy()]
    if xarray is not None and isinstance(value, xarray.DataArray):
        coordinates = {name: (one.dims, one.values) for name, one in value.coords.items()}
        return [value.name, value.dims, value.values, coordinates, value.attrs]
    return None


def _names(code: types.CodeType) -> set[str]:
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _imported(code: types.CodeType) -> set[str]:
    """The modules that code imports when it runs."""
    found = {str(step.argval) for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME"}
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return found.union(*map(_imported, inner))


def _own(module: str) -> bool:
    return module == __package__ or module.startswith(f"{__package__}.")


def _is_library(module: types.ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    if module.__name__ == "__main__":  # in a notebook its file is the program that runs the notebook
        return False
    if file is None:  # compiled in, or a folder without a module of its own
        return not any(
            not str(Path(one).resolve()).startswith(_LIBRARIES) for one in getattr(module, "__path__", ())
        )
    return str(Path(file).resolve()).startswith(_LIBRARIES)


def _is_tensor(value: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)
