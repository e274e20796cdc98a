from .benchmark_plugin import write_benchmark_plugin as write_benchmark_plugin
from .check.check import Check as Check, PluginReport as PluginReport, check_plugin as check_plugin
from .model_plugin import write_model_plugin as write_model_plugin
from .packing import PluginFiles as PluginFiles
