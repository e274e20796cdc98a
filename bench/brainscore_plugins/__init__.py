"""Scored models and one's own benchmarks as Brain-Score plugins, checked before they leave the machine."""

from typing import TYPE_CHECKING

from ...lazy import attach

if TYPE_CHECKING:
    from .benchmark_plugin import write_benchmark_plugin
    from .check.check import Check, PluginReport, check_plugin
    from .model_plugin import write_model_plugin
    from .packing import PluginFiles

_WHERE = {
    "Check": ".check.check",
    "PluginFiles": ".packing",
    "PluginReport": ".check.check",
    "check_plugin": ".check.check",
    "write_benchmark_plugin": ".benchmark_plugin",
    "write_model_plugin": ".model_plugin",
}
__all__ = [
    "Check",
    "PluginFiles",
    "PluginReport",
    "check_plugin",
    "write_benchmark_plugin",
    "write_model_plugin",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
