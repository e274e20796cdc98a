"""Nested ridge that stays on a graphics card, from features to r; the same code runs on any device of torch.

:mod:`.ridge` is the engine; features come to the card through :mod:`.transfer`, are Gram matrices (:mod:`.gram`) or,
where they are few, whitened features (:mod:`.primal`); products run as exactly as float32 does (:mod:`.products`), in
blocks as large as memory allows (:mod:`.memory`).
"""
