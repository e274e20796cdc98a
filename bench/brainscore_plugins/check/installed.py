"""The package that a plugin is checked in: a copy of an installed one, or a stand-in."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ....errors import UserError
from ..packing import Domain

_STAND_INS = Path(__file__).with_name("stand_ins")
_OTHERS_PLUGINS = ("models", "benchmarks", "data")
_PROBE = """
import importlib.metadata as metadata, importlib.util as util, json, sys
spec = util.find_spec(sys.argv[1])
known = {one.metadata["Name"].lower().replace("_", "-"): one.version for one in metadata.distributions()}
print(json.dumps({
    "origin": spec and spec.origin,
    "version": known.get(sys.argv[1].replace("_", "-"), "of unknown version"),
    "scikit-learn": known.get("scikit-learn", "0"),
}))
"""


def put_package(domain: Domain, site: Path, python: Path, *, own: bool) -> str:
    """Put ``brainscore_vision`` or ``brainscore_language`` into a folder, without anyone's plugins.

    Parameters
    ----------
    domain : {"vision", "language"}
    site : Path
        Comes first on the path of the process that checks.
    python : Path
        The interpreter of that process, whose installed package is copied.
    own : bool
        Whether that is brodmann's own interpreter, where a stand-in may take the package's place.

    Returns
    -------
    str
        Which one it is.

    Raises
    ------
    UserError
        For another interpreter that is none, or lacks the package.
    """
    library = f"brainscore_{domain}"
    known = _probe(python, library)
    if known["origin"] is None:
        if not own:
            raise UserError(
                f"{python} has no {library}: install it there, or leave python out for a stand-in"
            )
        return _stand_in(library, site, "which is not installed")
    # brainscore_vision asks for scikit-learn < 1.6 and makes a LogisticRegression that newer ones refuse
    if own and domain == "vision" and _too_new(known["scikit-learn"]):
        return _stand_in(library, site, f"which does not work beside scikit-learn {known['scikit-learn']}")
    root = Path(known["origin"]).parent
    shutil.copytree(root, site / library, ignore=lambda folder, names: _ignored(root, Path(folder), names))
    return f"{library} {known['version']}"


def _probe(python: Path, library: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [str(python), "-P", "-c", _PROBE, library], capture_output=True, text=True, timeout=60, check=True
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UserError(
            f"{python} is no Python that answers ({type(error).__name__}): name its executable"
        ) from error
    return found


def _too_new(version: str) -> bool:
    major, minor = (int(part) for part in version.split(".")[:2])
    return (major, minor) >= (1, 6)


def _stand_in(library: str, site: Path, reason: str) -> str:
    for template in sorted((_STAND_INS / library).rglob("*.txt")):
        path = site / template.relative_to(_STAND_INS).with_suffix("")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(template.read_bytes())
    return f"a stand-in for {library}, {reason}"


def _ignored(root: Path, folder: Path, names: list[str]) -> list[str]:
    inside_plugins = folder.parent == root and folder.name in _OTHERS_PLUGINS
    return [name for name in names if name == "__pycache__" or (inside_plugins and (folder / name).is_dir())]
