"""Which of this package's modules a number passes through, and digests of their code."""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from .files import digest_of, sha256_file

PACKAGE = Path(__file__).parent
_ROOMS = frozenset({"brain_data", "models", "analysis", "bench"})
WITHOUT_NUMBERS = frozenset(
    {
        "errors",  # what a mistake says
        "files",  # bytes are written and read back as they were
        "device",  # where is computed; it stands in a key by its own name
        "places",  # where files lie, and how one takes another's place
        "install",  # what is installed has a checksum
        "progress",
        "fingerprint",  # what stands in a key, not what is computed
        "source_digest",
        "registry",
        "models.catalogue",  # names and cards; what makes a model of them is the model's own
        "brain_data.arrays",  # makes data sets, whose digests hold every number
        "brain_data.catalogue",
        "models.sheet",  # places of units, which no score looks at
        "memory",  # refuses, and changes nothing
        "bench.metrics.registries",  # names, and hands on
    }
)
"""Modules that everything imports, and through which no value of a score passes."""


def module_name(module: str) -> str | None:
    """A module's name below this package; None for one of elsewhere."""
    package, _, name = module.partition(".")
    return name if package == __package__ else None


def code_digest(modules: Iterable[str], root: Path = PACKAGE) -> str:
    """sha256 over the code of some modules and of all that they import from this package.

    Comments, docstrings and blank lines are left out, and so are imports that only type checkers see.

    Parameters
    ----------
    modules : iterable of str
        Dotted names below the package, such as ``"bench.scoring"``.
    root : Path
        The package's folder.
    """
    return digest_of(*([name, _code(*_stamped(name, root))] for name in sorted(imported_by(modules, root))))


def whole_digest(root: Path = PACKAGE) -> str:
    """sha256 over every file of code and of tables of this package: by it two machines see that theirs is the same.

    Parameters
    ----------
    root : Path
        The package's folder; what lies beside its rooms (tests, documentation) is left out.
    """
    rooms = [path for path in root.iterdir() if path.name in _ROOMS]
    files = [*root.glob("*.py"), *(path for room in rooms for path in room.rglob("*"))]
    kept = sorted(path for path in files if path.suffix in (".py", ".toml"))
    return digest_of(*([path.relative_to(root).as_posix(), sha256_file(path)] for path in kept))


def imported_by(modules: Iterable[str], root: Path = PACKAGE) -> frozenset[str]:
    """The modules themselves and all that they import, directly or not, less ``WITHOUT_NUMBERS``."""
    waiting, reached = list(modules), set[str]()
    while waiting:
        name = waiting.pop()
        if name in reached or name in WITHOUT_NUMBERS:
            continue
        reached.add(name)
        waiting += _imports(root, *_stamped(name, root))
    return frozenset(reached)


def _file(name: str, root: Path) -> Path:
    path = root.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _stamped(name: str, root: Path) -> tuple[Path, int, int]:
    path = _file(name, root)
    status = path.stat()
    return path, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4096)
def _imports(root: Path, path: Path, _modified: int, _size: int) -> tuple[str, ...]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    folder = path.parent.relative_to(root).parts
    return tuple(
        target
        for node in _nodes(tree, typing=False)
        for alias in node.names
        for target in _targets(_base(node, folder), alias.name, root)
    )


def _base(node: ast.ImportFrom, folder: tuple[str, ...]) -> tuple[str, ...]:
    return (*folder[: len(folder) - node.level + 1], *(node.module.split(".") if node.module else ()))


def _nodes(tree: ast.AST, *, typing: bool) -> Iterator[ast.ImportFrom]:
    """The relative imports of a module, at any depth; without those for type checkers unless asked."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not typing:
            for other in node.orelse:
                yield from _nodes(other, typing=typing)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node
        else:
            yield from _nodes(node, typing=typing)


def _targets(base: tuple[str, ...], name: str, root: Path) -> list[str]:
    """The module that ``from base import name`` reads; a package's front hands on to where the name is defined."""
    own = root.joinpath(*base)
    if not own.is_dir():
        return [".".join(base)]
    inside = own / name
    if inside.with_suffix(".py").is_file():
        return [".".join((*base, name))]
    if (inside / "__init__.py").is_file():
        return []  # a package itself computes nothing; what is used of it is not seen, and none of ours is used so
    front = own / "__init__.pyi"
    if not front.is_file():
        return [".".join(base)]
    for node in _nodes(ast.parse(front.read_text(encoding="utf-8")), typing=True):
        for alias in node.names:
            if (alias.asname or alias.name) == name:
                return _targets(_base(node, base), alias.name, root)
    return [".".join(base)]


@lru_cache(maxsize=4096)
def _code(path: Path, _modified: int, _size: int) -> str:
    """A module's source without what does not compute: comments, docstrings, blank lines."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column] + "\n"
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            for row in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[row] = "\n"
    return "\n".join(stripped for line in lines if (stripped := line.rstrip()))
