"""The rules of Brain-Score's web form, checked on the finished zip."""

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ..packing import METADATA

_KINDS = ("models", "benchmarks", "data", "metrics")
_REGISTRATION = re.compile(r"(?:model|benchmark)_registry\[(['\"])(.*?)\1\]")


def zip_rules(archive: Path) -> dict[str, str]:
    """Every rule and, where it is broken, by what; an empty text where it holds."""
    try:
        with zipfile.ZipFile(archive) as opened:
            damaged = opened.testzip()
            names = opened.namelist()
            inits = [one for one in names if one.endswith("/__init__.py") and one.count("/") == 3]
            registered = {
                found[2] for one in inits for found in _REGISTRATION.finditer(opened.read(one).decode())
            }
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        return {"the zip can be read": str(error)}
    return {
        "the zip can be read": damaged or "",
        "one root folder": _roots(names),
        "folders have entries of their own": _folders(names),
        "no spaces in names": _first(one for one in names if " " in one),
        "no metadata.yml": _first(one for one in names if Path(one).name in (METADATA, "metadata.yaml")),
        "one plugin, with __init__.py and test.py": _plugin(names),
        "one identifier, without hyphens": _identifier(registered, names),
        "nothing leaves the folder": _first(
            one for one in names if one.startswith("/") or ".." in PurePosixPath(one).parts
        ),
    }


def _first(found: Iterable[str]) -> str:
    return next(iter(found), "")


def _roots(names: list[str]) -> str:
    roots = sorted({one.split("/")[0] for one in names})
    return "" if len(roots) == 1 else f"{len(roots)}: {', '.join(roots[:3])}"


def _folders(names: list[str]) -> str:
    needed = {f"{parent}/" for one in names for parent in PurePosixPath(one).parents if str(parent) != "."}
    return _first(sorted(needed - set(names)))


def _plugin(names: list[str]) -> str:
    plugins = [
        one for one in names if one.endswith("/") and one.count("/") == 3 and one.split("/")[1] in _KINDS
    ]
    if len(plugins) != 1:
        return f"{len(plugins)} plugins"
    return ", ".join(one for one in ("__init__.py", "test.py") if plugins[0] + one not in names)


def _identifier(registered: set[str], names: list[str]) -> str:
    if len(registered) != 1:
        return f"{len(registered)} identifiers"
    [identifier] = registered
    # a benchmark is called DATA.REGION-METRIC: that one hyphen is Brain-Score's own
    is_benchmark = any(one.split("/")[1:2] == ["benchmarks"] for one in names)
    hyphens = identifier.count("-") - is_benchmark
    return identifier if hyphens > 0 else ""
