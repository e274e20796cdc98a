"""Scored models and one's own benchmarks as Brain-Score plugins, checked before they leave the machine."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
