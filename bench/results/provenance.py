"""What a score stands on: versions, seeds, digests."""

import platform
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ...files import digest_of, sha256_file

_PACKAGES = (
    "brodmann",
    "brainscore-core",
    "nilearn",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "torch",
    "transformers",
    "xarray",
)


def versions() -> dict[str, str]:
    """The versions of brodmann and of what its numbers depend on."""
    found = {"python": platform.python_version(), "platform": sys.platform}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


@lru_cache
def code_digest() -> str:
    """sha256 over the source of everything that a number passes through."""
    root = Path(__file__).parents[2]
    rooms = [root / name for name in ("brain_data", "models", "analysis", "bench")]
    files = [*root.glob("*.py"), *(path for room in rooms for path in room.rglob("*.py"))]
    names = sorted(path.relative_to(root).as_posix() for path in files)
    return digest_of([(name, sha256_file(root / name)) for name in names if "bench/cli/" not in name])


def provenance(**known: Any) -> dict[str, Any]:
    """Versions, code digest and whatever the caller knows, as one dictionary."""
    return {"versions": versions(), "code": code_digest(), **known}
