"""Addresses between the pages: of a server that answers questions, or of files in a folder."""

from typing import Any, Protocol
from urllib.parse import urlencode

from .ranking import Selection

_DEFAULT = Selection()


def asked(chosen: Selection, **changes: Any) -> dict[str, Any]:
    """The parameters of a selection that differ from the usual ones, with some changed."""
    found = {name: getattr(chosen, name) for name in Selection.__dataclass_fields__}
    found |= {"page": 1} | changes
    return {
        name: value
        for name, value in found.items()
        if name == "domain" or (value is not None and value != getattr(_DEFAULT, name))
    }


class Links(Protocol):
    """How pages find each other."""

    live: bool

    def board(self, **parameters: Any) -> str:
        """The table of models."""

    def model(self, slug: str) -> str:
        """A model's page."""

    def benchmark(self, slug: str) -> str:
        """A benchmark's page."""

    def compare(self) -> str:
        """Two models beside each other."""

    def compare_action(self) -> str:
        """Where the form of that page leads."""

    def about(self) -> str:
        """How to submit."""

    def asset(self, name: str) -> str:
        """A style sheet, script or picture."""

    def file(self, name: str, domain: str, **parameters: Any) -> str:
        """The board as CSV, JSON or BibTeX."""


class ServerLinks:
    """Addresses of a server."""

    live = True

    def __init__(self, assets: str) -> None:
        self._assets = assets

    def board(self, **parameters: Any) -> str:
        """``/?domain=...``."""
        return f"/?{urlencode(parameters)}" if parameters else "/"

    def model(self, slug: str) -> str:
        """``/models/SLUG``."""
        return f"/models/{slug}"

    def benchmark(self, slug: str) -> str:
        """``/benchmarks/SLUG``."""
        return f"/benchmarks/{slug}"

    def compare(self) -> str:
        """``/compare``."""
        return "/compare"

    def compare_action(self) -> str:
        """The same."""
        return "/compare"

    def about(self) -> str:
        """``/about``."""
        return "/about"

    def asset(self, name: str) -> str:
        """Under a name that changes with its content, so that browsers may keep it."""
        return f"/static/{name}?v={self._assets}"

    def file(self, name: str, domain: str, **parameters: Any) -> str:
        """``/export/NAME?domain=...``."""
        return f"/export/{name}?{urlencode({'domain': domain} | parameters)}"


class FileLinks:
    """Addresses of files in a folder, relative to a page in it."""

    live = False

    def __init__(self, first: str, depth: int) -> None:
        self._first, self._up = first, "../" * depth

    def board(self, **parameters: Any) -> str:
        """``index.html`` for the first domain, ``DOMAIN.html`` for another; a file cannot be asked anything else."""
        domain = parameters.get("domain", self._first)
        return f"{self._up}{'index' if domain == self._first else domain}.html"

    def model(self, slug: str) -> str:
        """``models/SLUG.html``."""
        return f"{self._up}models/{slug}.html"

    def benchmark(self, slug: str) -> str:
        """``benchmarks/SLUG.html``."""
        return f"{self._up}benchmarks/{slug}.html"

    def compare(self) -> str:
        """``compare.html``."""
        return f"{self._up}compare.html"

    def compare_action(self) -> str:
        """The same."""
        return self.compare()

    def about(self) -> str:
        """``about.html``."""
        return f"{self._up}about.html"

    def asset(self, name: str) -> str:
        """``static/NAME``."""
        return f"{self._up}static/{name}"

    def file(self, name: str, domain: str, **parameters: Any) -> str:
        """``export/DOMAIN/NAME``."""
        del parameters
        return f"{self._up}export/{domain}/{name}"
