"""A plugin is imported and exercised before it leaves the machine."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from ....errors import UserError
from ....models.extraction.torch_model import Network
from ..packing import METADATA, Domain, Kind, PluginFiles
from .installed import put_package
from .measuring import measured, picture_set, sentence_set
from .zip_rules import zip_rules

if TYPE_CHECKING:
    from ....models import Model

TOLERANCE = 1e-5
"""How far an activation may lie from brodmann's, relative to the largest of its layer."""
_RUNNER = Path(__file__).with_name("runner.py")
_REGISTRATION = re.compile(r"^(model|benchmark)_registry\[(['\"])(.+?)\2\]", re.MULTILINE)
_LIBRARY = re.compile(r"^from brainscore_(vision|language) import", re.MULTILINE)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What must hold.
    passed : bool
    detail : str
        What was found, or what is wrong.
    """

    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class PluginReport:
    """What a check found.

    Attributes
    ----------
    identifier : str
    package : str
        What the plugin was loaded by: the installed package with its version, or a stand-in.
    checks : tuple of Check
    seconds : float
    """

    identifier: str
    package: str
    checks: tuple[Check, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return all(check.passed for check in self.checks)

    def text(self) -> str:
        """A line a check."""
        lines = [f"{self.identifier}, loaded by {self.package} ({self.seconds:.0f} s)"]
        for check in self.checks:
            said = f": {check.detail}" if check.detail else ""
            lines.append(f"  {'ok    ' if check.passed else 'FAILED'} {check.name}{said}")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Found:
    """A plugin as its folder shows it."""

    root: Path
    plugin: Path
    kind: Kind
    domain: Domain
    identifier: str

    @property
    def layers(self) -> dict[str, str]:
        known = self.plugin / "region_layer_map" / f"{self.plugin.name}.json"
        return dict(json.loads(known.read_text())) if known.exists() else {}


def check_plugin(
    folder: PluginFiles | str | Path,
    model: "Model | str | None" = None,
    *,
    time_limit: float = 600,
    python: str | Path | None = None,
) -> PluginReport:
    """Import and exercise a plugin as Brain-Score does, in a process of its own that installs nothing.

    The plugin is put into a copy of the installed ``brainscore_vision`` or ``brainscore_language`` (a stand-in where
    that is not installed; the report says which), found and imported by brainscore-core, loaded, compared with
    brodmann on a few pictures or sentences, and its own ``test.py`` is run. The zip is held against every rule of the
    web form. The plugin's code runs on this machine.

    Parameters
    ----------
    folder : PluginFiles, str or Path
        What :func:`write_model_plugin` or :func:`write_benchmark_plugin` gave, or the folder ``FOLDER/IDENTIFIER``;
        the zip is looked for beside it.
    model : Model or str, optional
        For a model's plugin: the brodmann model whose activations it must give, to 1e-5 of a layer's largest value.
        Without it only the numbers that the plugin noted are compared.
    time_limit : float
        Seconds.
    python : str or Path, optional
        The interpreter of another environment, in which Brain-Score is installed; brodmann's own by default.

    Raises
    ------
    UserError
        For a folder that holds no plugin, or an interpreter without Brain-Score.
    """
    began = time.perf_counter()
    found = _found(folder.root if isinstance(folder, PluginFiles) else Path(folder).expanduser())
    archive = found.root.with_name(f"{found.root.name}.zip")
    checks = [Check(f"zip: {rule}", not broken, broken) for rule, broken in zip_rules(archive).items()]
    if checks[0].passed:
        checks.append(_same_as_folder(found, archive))
    with TemporaryDirectory(prefix="brodmann-plugin-") as scratch:
        site = Path(scratch) / "site"
        runner = Path(sys.executable if python is None else python).expanduser().absolute()
        package = put_package(found.domain, site, runner, own=python is None)
        shutil.copytree(found.plugin, site / f"brainscore_{found.domain}" / found.kind / found.plugin.name)
        job = _job(found, Path(scratch), None if model is None else _network(model))
        checks += _run(job, Path(scratch), runner, time_limit)
    return PluginReport(found.identifier, package, tuple(checks), time.perf_counter() - began)


def _found(root: Path) -> _Found:
    plugins = [
        path.parent for kind in ("models", "benchmarks") for path in root.glob(f"{kind}/*/__init__.py")
    ]
    if len(plugins) != 1:
        raise UserError(
            f"{root} holds {len(plugins)} plugins, not one: name the folder above models/ or benchmarks/"
        )
    text = (plugins[0] / "__init__.py").read_text(encoding="utf-8")
    registered, library = _REGISTRATION.search(text), _LIBRARY.search(text)
    if registered is None or library is None:
        raise UserError(
            f"{plugins[0] / '__init__.py'} registers nothing with Brain-Score: write the plugin again"
        )
    kind: Literal["models", "benchmarks"] = "models" if registered[1] == "model" else "benchmarks"
    return _Found(root, plugins[0], kind, cast(Domain, library[1]), registered[3])


def _same_as_folder(found: _Found, archive: Path) -> Check:
    """Whether the zip holds what the folder does, without the metadata."""
    inside = {
        f"{found.root.name}/{path.relative_to(found.root).as_posix()}": path.read_bytes()
        for path in found.root.rglob("*")
        if path.is_file() and path.name != METADATA and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(archive) as opened:
        packed = {one: opened.read(one) for one in opened.namelist() if not one.endswith("/")}
    other = sorted(name for name in inside.keys() | packed.keys() if inside.get(name) != packed.get(name))
    return Check("zip: it holds the folder's files", not other, other[0] if other else "")


def _network(model: "Model | str") -> Network:
    from ....models.loading import load_model

    loaded = load_model(model) if isinstance(model, str) else model
    if not isinstance(loaded, Network):
        raise UserError(f"{loaded.identifier!r} is no network of torch: no plugin was made of it")
    return loaded


def _job(found: _Found, scratch: Path, model: Network | None) -> dict[str, Any]:
    library = f"brainscore_{found.domain}"
    files = [path for path in found.plugin.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    job = {
        "site": str(scratch / "site"),
        "report": str(scratch / "report.jsonl"),
        "library": library,
        "domain": found.domain,
        "kind": found.kind,
        "name": found.plugin.name,
        "identifier": found.identifier,
        "metadata": (found.plugin / METADATA).exists(),
        "files": [
            f"{library}/{found.kind}/{found.plugin.name}/{path.relative_to(found.plugin).as_posix()}"
            for path in files
        ],
        "layers": found.layers,
        "activations": None,
        "tolerance": TOLERANCE,
    }
    return job if model is None or found.kind != "models" else job | _activations(found, model, scratch)


def _activations(found: _Found, model: Network, scratch: Path) -> dict[str, Any]:
    """What brodmann's own extraction gives, under the plugin's names of the layers."""
    stimuli: Any = picture_set(scratch) if found.domain == "vision" else sentence_set()
    prefix = f"{getattr(model.module, 'base_model_prefix', '')}."
    known = dict(model.module.named_modules())
    named = {
        layer: layer if layer in known else layer.removeprefix(prefix)
        for layer in found.layers.values() or model.layers
    }
    values = measured(model, stimuli, list(dict.fromkeys(named.values())))
    path = scratch / "activations.npz"
    np.savez(path, **{layer: values[own] for layer, own in named.items()})
    shown: Mapping[str, Any] = (
        {key: str(one) for key, one in stimuli.stimulus_paths.items()}
        if found.domain == "vision"
        else dict(zip(stimuli["stimulus_id"], stimuli["sentence"], strict=True))
    )
    return {"activations": str(path), "stimuli": dict(shown)}


def _run(job: Mapping[str, Any], scratch: Path, python: Path, time_limit: float) -> list[Check]:
    (scratch / "job.json").write_text(json.dumps(job))
    command = [str(python), "-P", "-W", "ignore", str(_RUNNER), str(scratch / "job.json")]
    environment = os.environ | {
        "BS_INSTALL_DEPENDENCIES": "no",
        "CUDA_VISIBLE_DEVICES": "",  # the same processor as brodmann's numbers
        "RESULTCACHING_DISABLE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    ended = ""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=time_limit,
            cwd=scratch,
            env=environment,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            ended = f"the process ended with code {done.returncode}: {last[:300]}"
    except subprocess.TimeoutExpired:
        ended = f"it did not finish within {time_limit:g} s"
    report = Path(job["report"])
    lines = report.read_text().splitlines() if report.exists() else []
    said = [json.loads(line) for line in lines if line.endswith("}")]
    checks = [Check(one["name"], not one["problem"], one["problem"] or one["detail"]) for one in said]
    return [*checks, Check("it runs to the end", not ended, ended)] if ended or not checks else checks
