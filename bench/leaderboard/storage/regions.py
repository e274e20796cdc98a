"""Where regions lie: the tree above a benchmark."""

from functools import lru_cache
from pathlib import Path

from ....files import read_toml

MOST = 5
"""Levels of the tree."""


@lru_cache
def _regions() -> dict[str, dict[str, str]]:
    return read_toml(Path(__file__).with_name("regions.toml"))


def place_of(domain: str, region: str) -> list[str]:
    """The regions in which a region lies, the largest first, itself last."""
    path, parts = [region] if region else [], _regions().get(domain, {})
    while path and path[0] in parts and len(path) < MOST:
        path.insert(0, parts[path[0]])
    return path
