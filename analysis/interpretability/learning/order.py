"""The order in which rows are learnt from: blocks that lie together are read together, and mixed with many others."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

BLOCK_ROWS = 256
POOL_BLOCKS = 512
"""Blocks that are mixed with each other: 131 072 rows."""
Indices = npt.NDArray[np.int64]


def batches(n_rows: int, batch_size: int, seed: int, *, first: int = 0) -> Iterator[Indices]:
    """Row numbers of batch after batch, pass after pass without end; each row once a pass.

    Parameters
    ----------
    n_rows : int
    batch_size : int
        A batch may hold the end of one pass and the beginning of the next.
    seed : int
        Of the order alone.
    first : int
        The batch to begin with: the same as without, from there on.
    """
    skipped = first * batch_size
    passed = skipped // n_rows
    left, waiting = skipped - passed * n_rows, [np.empty(0, np.int64)]
    while True:
        for pool in _pools(n_rows, seed, passed):
            if left >= len(pool):
                left -= len(pool)
                continue
            waiting.append(pool[left:])
            left = 0
            ready = np.concatenate(waiting)
            whole = len(ready) // batch_size * batch_size
            yield from ready[:whole].reshape(-1, batch_size)
            waiting = [ready[whole:]]
        passed += 1


def _pools(n_rows: int, seed: int, passed: int) -> Iterator[Indices]:
    generator = np.random.default_rng([seed, passed])
    blocks = generator.permutation(-(-n_rows // BLOCK_ROWS))
    for start in range(0, len(blocks), POOL_BLOCKS):
        rows = blocks[start : start + POOL_BLOCKS, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)
        yield generator.permutation(rows[rows < n_rows])
