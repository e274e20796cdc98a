"""Spoiled folders end in a data set or in one line, and nothing is written but the home."""

import hashlib
import random
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import brodmann
from brodmann import UserError
from brodmann.bench.cli.found import found, found_text

from .folder_mutations import FORMATS, spoil, write_folder


def tree_of(folder: Path) -> dict[str, str]:
    """Every file below a folder with the hash of its content."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def tried(seed: int, place: Path, home: Path) -> str:
    """Add one spoiled folder; what became of it."""
    draw = random.Random(seed)
    source = place / "mine"
    source.mkdir()
    file_format = FORMATS[seed % len(FORMATS)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arrays = write_folder(source, file_format, draw)
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            if any(path.suffix in (".csv", ".tsv") for path in source.iterdir()):
                spoil(source, file_format, arrays, draw)
    before, installed = tree_of(place), {path.name for path in (home / "data").glob("*")}
    try:
        folder = brodmann.add_dataset("mutant", source)
        data = brodmann.load_dataset("mutant")
        text = found_text(found(data, folder))
    except UserError as error:
        said = str(error).strip()
        outcome = "refused"
        if "\n" in said:
            pytest.fail(f"seed {seed}: more than one line: {said}")
        assert {path.name for path in (home / "data").glob("*")} <= installed | {"mutant"}
    else:
        assert data.responses is not None
        assert np.isfinite(data.responses.values).all()
        assert folder == home / "data" / "mutant"
        assert "brodmann" in text
        outcome = "read, something left out" if data.responses.attrs.get("left_out") else "read"
    assert tree_of(place) == before
    return outcome


@pytest.mark.parametrize("seed", range(40))
def test_a_spoiled_folder_is_read_or_refused_in_one_line(seed, tmp_path, brodmann_home):
    tried(seed, tmp_path, brodmann_home)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_two_thousand_spoiled_folders(block, tmp_path, brodmann_home):
    outcomes: Counter[str] = Counter()
    for seed in range(1000 + 100 * block, 1000 + 100 * (block + 1)):
        place = tmp_path / str(seed)
        place.mkdir()
        outcomes[tried(seed, place, brodmann_home)] += 1
    assert sum(outcomes.values()) == 100
    assert outcomes["refused"] > 20
    assert outcomes["refused"] < 95
    print(dict(outcomes))
