"""Numbers that lie on the disk as long as somebody holds them."""

import gc
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from brodmann import UserError
from brodmann.brain_data.timeseries.scratch import scratch
from brodmann.files import home


def test_they_are_nan_at_first_and_gone_at_the_end():
    values, folder = scratch((5, 3))
    assert np.isnan(values).all()
    assert folder.is_relative_to(home())
    values[2] = [1, 2, 3]
    held = values[1:4, 1]
    (folder / "mask").write_text("a mask")
    del values
    gc.collect()
    assert held[1] == 2
    del held
    gc.collect()
    assert not folder.exists()


def test_a_disk_without_room_is_refused_before_anything_is_computed(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(
        UserError, match="responses take .* GiB in .* and 0.0 GiB are free: take fewer subjects"
    ):
        scratch((1000, 1000))
    assert not list((home() / "temporary").glob(".recording.*"))
