"""Names in addresses and in the tree of benchmarks."""

from collections.abc import Collection

from ...files import file_name


def free_slug(name: str, taken: Collection[str]) -> str:
    """A name as part of an address, in small letters, unlike all that are taken; a set of those gets it, too."""
    base = file_name(name).lower()[:100] or "unnamed"
    slug, n = base, 1
    while slug in taken:
        n += 1
        slug = f"{base}-{n}"
    if isinstance(taken, set):
        taken.add(slug)
    return slug


def average_of(domain: str) -> str:
    """The root of a domain's benchmarks."""
    return f"average_{domain}"


def engineering_of(domain: str) -> str:
    """The root of what is no comparison with a brain."""
    return f"engineering_{domain}"


def region_of(domain: str, region: str) -> str:
    """The node between the root and a region's benchmarks."""
    return f"{domain}.{region}"
