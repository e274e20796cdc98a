"""What is compared with the brain: adapters over networks, baselines, and the catalogue of both."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
