"""Responses that lie in a file are what they are in memory, whatever is asked of them."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from brodmann.brain_data import stored
from brodmann.errors import UserError

DIMS = ("presentation", "neuroid", "time_bin")


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[xr.DataArray, xr.DataArray]:
    """The same numbers in a file, read some rows at a time, and in memory."""
    monkeypatch.setattr(stored, "BLOCK", 600)
    monkeypatch.setattr(stored.row_blocks, "__defaults__", (600,))
    values = np.random.default_rng(0).normal(size=(50, 30, 4)).astype(np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("r", data=values, chunks=(7, 5, 4))
    names = {"name": ("neuroid", np.arange(30))}
    return stored.lazily(tmp_path / "a.h5", "r", DIMS, names), xr.DataArray(
        values, dims=DIMS, coords=names, name="r"
    )


MASK = np.random.default_rng(1).random(30) < 0.3
SELECTIONS = [
    np.s_[:], np.s_[:, MASK], np.s_[3], np.s_[:, 2], np.s_[::-1, MASK], np.s_[np.array([4, 4, 1])], np.s_[:, :, 0],
    np.s_[10:2:-2, -1], np.s_[:0], np.s_[:, np.zeros(30, bool)], np.s_[5, MASK, 1:3], np.s_[[49, 0], ::7, -1],
]  # fmt: skip


@pytest.mark.parametrize("key", SELECTIONS, ids=str)
def test_a_selection_is_that_of_the_array_in_memory(
    both: tuple[xr.DataArray, xr.DataArray], key: object
) -> None:
    lazy, known = both
    xr.testing.assert_identical(lazy[key].load(), known[key])


def test_nothing_is_read_or_kept_before_it_is_asked_for(both: tuple[xr.DataArray, xr.DataArray]) -> None:
    lazy, known = both
    chosen = lazy[:, MASK][::2]
    assert "Lazily" in type(chosen.variable._data).__name__
    assert (chosen.values == known[:, MASK][::2].values).all()
    assert "Lazily" in type(chosen.variable._data).__name__


def test_a_walk_is_in_order_and_of_every_row_once(both: tuple[xr.DataArray, xr.DataArray]) -> None:
    lazy, known = both
    pieces = list(stored.walk(lazy))
    assert len(pieces) > 5
    assert (np.concatenate([held for _, held in pieces]) == known.values).all()


def test_columns_by_blocks_are_all_of_them() -> None:
    blocks = list(stored.column_blocks((100, 30), 8, 8 * 100 * 7))
    assert [(one.start, one.stop) for one in blocks] == [(0, 7), (7, 14), (14, 21), (21, 28), (28, 30)]


def test_a_file_that_was_replaced_meanwhile_is_not_read(
    both: tuple[xr.DataArray, xr.DataArray], tmp_path: Path
) -> None:
    lazy, _ = both
    (tmp_path / "a.h5").unlink()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("r", data=np.zeros((50, 30, 4), np.float32))
    with pytest.raises(UserError, match="was replaced while it was in use"):
        lazy.values  # noqa: B018
