"""Pictures decoded in other processes: the same numbers in the same order, mistakes in the same words, nobody left."""

import os

import numpy as np
import pytest
import torch

from brodmann.errors import UserError
from brodmann.models import ImagePreprocessing, VisionModel
from brodmann.models.extraction import decoders
from brodmann.models.extraction.decoders import WORTH, Decoders, are_worth
from brodmann.models.extraction.decoding import Picture, decoded
from brodmann.models.extraction.torch_model import Network

SMALL = ImagePreprocessing(8)


def pictures_of(stimuli):
    return [Picture(stimuli.stimulus_paths[one], one, "black") for one in stimuli["stimulus_id"]]


@pytest.fixture(scope="module")
def workers():
    with Decoders(SMALL, "net", 2) as found:
        yield found


def test_processes_give_what_this_one_would_in_the_order_that_is_asked(workers, pictures):
    asked = pictures_of(pictures) * 3
    found = [one.result() for one in [workers.submit(picture) for picture in asked]]
    for picture, pixels in zip(asked, found, strict=True):
        torch.testing.assert_close(pixels, decoded(picture, SMALL, "net"), rtol=0, atol=0)


def test_a_mistake_is_told_in_the_same_words_and_the_worker_goes_on(workers, pictures, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    asked = Picture(bad, "s1", "black")
    with pytest.raises(UserError) as here:
        decoded(asked, SMALL, "net")
    for _ in range(3):
        with pytest.raises(UserError) as there:
            workers.submit(asked).result()
        assert str(there.value) == str(here.value)
    assert workers.submit(pictures_of(pictures)[0]).result().shape == (3, 8, 8)


def test_a_network_sees_the_same_through_processes_and_leaves_none(pictures, monkeypatch):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))

    def model():
        return VisionModel(
            module, identifier="net", preprocess=SMALL, layers=["0"], batch_size=3, cache=False
        )

    expected = model().extract(pictures)["0"]
    started = []

    class Seen(Decoders):
        def __init__(self, preprocess, identifier):
            super().__init__(preprocess, identifier, 1)
            started.append(self)

    monkeypatch.setattr(decoders, "Decoders", Seen)
    monkeypatch.setattr(decoders, "are_worth", lambda n, _: n > 1)
    monkeypatch.setattr(Network, "overlaps", True)
    np.testing.assert_array_equal(model().extract(pictures)["0"].values, expected.values)
    assert len(started) == 1
    assert [one.poll() is not None for one in started[0]._workers] == [True]


def test_a_worker_that_is_killed_is_one_line(pictures):
    with Decoders(SMALL, "net", 1) as found:
        found._workers[0].kill()
        with pytest.raises(
            UserError, match="decodes pictures ended at that of stimulus 'p0': is memory short"
        ):
            found.submit(pictures_of(pictures)[0]).result()


class OfAScript(ImagePreprocessing):
    """A preprocessing as a script defines it."""


def test_processes_are_started_for_many_pictures_and_what_they_can_import(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    assert are_worth(WORTH, SMALL)
    assert not are_worth(WORTH - 1, SMALL)
    assert not are_worth(WORTH, lambda image: image)
    monkeypatch.setattr(OfAScript, "__module__", "__main__")
    assert not are_worth(WORTH, OfAScript(8))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert not are_worth(WORTH, SMALL)


def test_what_cannot_be_imported_elsewhere_stays_with_the_threads(pictures, monkeypatch):
    """A class of this test, whose module no other process finds."""
    monkeypatch.setattr(decoders, "are_worth", lambda n, _: n > 1)
    monkeypatch.setattr(Network, "overlaps", True)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(decoders, "_SERVE", "import sys; sys.path.clear(); " + decoders._SERVE)
    model = VisionModel(
        torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)),
        identifier="net",
        preprocess=SMALL,
        layers=["0"],
        batch_size=3,
        cache=False,
    )
    assert model.extract(pictures)["0"].shape[0] == len(pictures)
