"""brodmann: how brain-like is a model? Scores, ceilings, intervals and p values.

>>> import brodmann
>>> score = brodmann.score("gabor-pyramid", "simulated-cortex.V1-ridge")
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
