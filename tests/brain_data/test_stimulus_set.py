"""A table of stimuli keeps its name and paths, and is Brain-Score's in all that is used of it."""

import copy
import pickle
from pathlib import Path

import pandas as pd
import pytest

from brodmann.brain_data.dataset import stimuli_digest
from brodmann.brain_data.stimulus_set import StimulusSet


@pytest.fixture
def stimuli(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(name.encode())
    table = StimulusSet({"stimulus_id": list("abc"), "size": [1, 2, 3]})
    table.identifier = "three"
    table.stimulus_paths = {name: tmp_path / f"{name}.png" for name in "abc"}
    return table


@pytest.mark.parametrize(
    "select",
    [
        lambda table: table.iloc[1:],
        lambda table: table[table["size"] > 1],
        lambda table: table[["stimulus_id", "size"]],
        lambda table: table.sort_values("size", ascending=False),
        lambda table: table.reset_index(drop=True),
        lambda table: table.assign(label="x"),
        lambda table: table.copy(),
        copy.deepcopy,
        lambda table: pickle.loads(pickle.dumps(table)),
    ],
)
def test_a_selection_keeps_its_name_and_paths(stimuli, select):
    selected = select(stimuli)
    assert type(selected) is StimulusSet
    assert selected.identifier == "three"
    assert selected.get_stimulus("b").read_bytes() == b"b"
    assert list(stimuli.columns) == ["stimulus_id", "size"]


def test_a_new_one_has_neither():
    empty = StimulusSet({"stimulus_id": ["a"]})
    assert empty.identifier is None
    assert empty.stimulus_paths is None
    with pytest.raises(KeyError):
        empty.get_stimulus("a")


def test_brainscores_own_has_the_same_digest_and_ours_goes_into_its_zip(stimuli, tmp_path):
    brainio = pytest.importorskip("brainscore_core.supported_data_standards.brainio")
    theirs = brainio.stimuli.StimulusSet(pd.DataFrame(stimuli))
    theirs.stimulus_paths = stimuli.stimulus_paths
    assert stimuli_digest(theirs) == stimuli_digest(stimuli)
    _, names = brainio.packaging.create_stimulus_zip(stimuli, str(Path(tmp_path) / "ours.zip"))
    assert names == ["a.png", "b.png", "c.png"]
