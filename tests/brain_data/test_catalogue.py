"""The catalogue: what there is, what it takes to install it, and what is said when something is wrong."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import brodmann
from brodmann import UserError
from brodmann.brain_data import DatasetCard, Published, dataset_card, is_installed, list_datasets
from brodmann.brain_data.card import DATASETS
from brodmann.errors import NotAvailableError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_every_data_set_of_the_plan_is_listed():
    names = {card.identifier for card in list_datasets()}
    assert {
        "simulated-cortex",
        "simulated-cortex-language",
        "kriegeskorte2008",
        "haxby2001-slice",
        "haxby2001",
        "tuckute2024",
        "tang2018",
        "zhang2011",
    } <= names
    assert [card.identifier for card in list_datasets("haxby*")] == ["haxby2001-slice", "haxby2001"]


@pytest.mark.parametrize(
    "card", [card for card in list_datasets() if not card.own], ids=lambda card: card.identifier
)
def test_every_card_is_complete(card: DatasetCard):
    assert card.title
    assert card.modality in ("vision", "language")
    assert card.species
    assert card.technique
    assert card.regions
    assert card.license
    assert card.source
    assert callable(DATASETS[card.identifier].load)
    assert card.simulated == card.identifier.startswith("simulated")
    if not card.simulated:
        assert card.bibtex.count("@") > 0
        assert card.files or DATASETS[card.identifier].fetch
    assert len({file.name for file in card.files}) == len(card.files)
    for file in card.files:
        assert len(file.digest) in (40, 64)
        assert set(file.digest) <= set("0123456789abcdef")
        assert file.url is None or file.url.startswith("https://")
        assert not Path(file.name).is_absolute()
        assert ".." not in Path(file.name).parts


def test_the_numbers_of_files_are_those_of_the_sources():
    assert {name: len(dataset_card(name).files) for name in ("haxby2001-slice", "zhang2011", "tang2018")} == {
        "haxby2001-slice": 36,
        "zhang2011": 132,
        "tang2018": 5,
    }


def test_the_published_ceiling_says_where_it_stands():
    (ceiling,) = dataset_card("tuckute2024").about()["published_ceilings"].values()
    assert isinstance(ceiling, Published)
    assert ceiling.value == 0.559
    assert "5 participants" in ceiling.source


def test_listing_imports_neither_pandas_nor_torch():
    code = (
        "import brodmann, json, sys; brodmann.list_datasets(); brodmann.brain_data.dataset_card('tang2018');"
        "print(json.dumps([name for name in ('pandas', 'xarray', 'torch', 'numpy') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("ask", [dataset_card, brodmann.load_dataset, brodmann.add_dataset, is_installed])
def test_a_misspelt_name_is_answered_with_what_is_close(ask):
    with pytest.raises(UserError, match="unknown data set 'tukute2024': did you mean 'tuckute2024'"):
        ask("tukute2024")


def test_what_is_not_installed_says_the_command():
    assert not is_installed("tuckute2024")
    with pytest.raises(NotAvailableError, match="not installed: brodmann data add tuckute2024 "):
        brodmann.load_dataset("tuckute2024")
    with pytest.raises(NotAvailableError, match="not installed: brodmann data add tang2018 --from FOLDER"):
        brodmann.load_dataset("tang2018")


def test_the_simulated_data_are_there_already():
    assert is_installed("simulated-cortex")
    assert brodmann.load_dataset("simulated-cortex-language").simulated
    with pytest.raises(UserError, match="made by code"):
        brodmann.add_dataset("simulated-cortex")


@pytest.fixture
def files(test_data, tmp_path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for file in dataset_card("kriegeskorte2008").files:
        shutil.copy(test_data / "kriegeskorte2008-92" / file.name, folder / file.name)
        (folder / file.name).chmod(0o644)
    return folder


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_file_with_another_checksum_is_refused_and_nothing_installed(files, home):
    flip_a_bit(files / "92_brainRDMs.mat")
    with pytest.raises(
        UserError, match=r"92_brainRDMs.mat is not the file .* begins \w{12}, not 1743f90a15e8"
    ):
        brodmann.add_dataset("kriegeskorte2008", files)
    assert not (home / "data" / "kriegeskorte2008").exists()
    assert not is_installed("kriegeskorte2008")


def test_a_missing_file_is_named(files):
    (files / "92_brainRDMs.mat").unlink()
    with pytest.raises(UserError, match=r"holds 1 of the 2 files .*first missing: 92_brainRDMs.mat"):
        brodmann.add_dataset("kriegeskorte2008", str(files))


def test_a_file_damaged_after_it_was_installed_is_discovered(files):
    installed = brodmann.add_dataset("kriegeskorte2008", files)
    assert is_installed("kriegeskorte2008")
    brodmann.load_dataset("kriegeskorte2008")
    flip_a_bit(installed / "92_brainRDMs.mat")
    with pytest.raises(UserError, match=r"is damaged: .*92_brainRDMs.mat") as caught:
        brodmann.load_dataset("kriegeskorte2008")
    assert "install it again: brodmann data add kriegeskorte2008 --from FOLDER" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_data_of_ones_own_are_listed_after_the_catalogue(home):
    folder = home / "data" / "mine"
    folder.mkdir(parents=True)
    (folder / "dataset.toml").write_text('title = "my cells"\nmodality = "language"\nregions = ["A1"]\n')
    card = list_datasets()[-1]
    assert (card.identifier, card.title, card.modality, card.regions) == (
        "mine",
        "my cells",
        "language",
        ("A1",),
    )
    assert card.own
    assert is_installed("mine")


@pytest.mark.parametrize("name", ["../mine", "a.b", "a b", ""])
def test_a_name_that_could_leave_the_home_is_refused(name, tmp_path):
    with pytest.raises(UserError, match="cannot name a data set"):
        brodmann.add_dataset(name, tmp_path)
