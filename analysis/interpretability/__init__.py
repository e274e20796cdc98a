"""What single units and sparse features of a layer stand for, tied to its sheet and to recordings."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
