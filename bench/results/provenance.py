"""What a score stands on: versions, seeds, digests."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

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


def provenance(**known: Any) -> dict[str, Any]:
    """Versions and whatever the caller knows, as one dictionary."""
    return {"versions": versions(), **known}
