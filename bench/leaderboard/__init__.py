"""The leaderboard: what may be submitted, where it is kept, and how it is shown."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
