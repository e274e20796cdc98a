"""What every data set, file format and localizer of the registries keeps."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import brodmann
from brodmann import UserError
from brodmann.brain_data import load_dataset
from brodmann.brain_data.card import DATASETS
from brodmann.brain_data.checks import check_responses, check_stimuli
from brodmann.brain_data.dataset import stimuli_digest
from brodmann.brain_data.formats.base import FORMATS, PRESENTATION, format_of, read_responses
from brodmann.brain_data.formats.folder import load_folder
from brodmann.brain_data.formats.folder_writer import save_folder
from brodmann.brain_data.simulated_cortex import simulated_cortex
from brodmann.brain_data.stimuli.localizers import LOCALIZERS, localizer


def bibtex_entries(text):
    """key -> fields, of BibTeX whose braces close; anything between entries is an error."""
    entries = {}
    while text := text.strip():
        head = re.match(r"@(\w+)\{([\w-]+),", text)
        assert head, f"no entry begins at {text[:40]!r}"
        depth, end = 1, head.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        fields = re.findall(r"^\s*(\w+)\s*=\s*\{(.+)\},?$", text[head.end() : end - 1], re.MULTILINE)
        assert head[2] not in entries
        entries[head[2]] = dict(fields)
        text = text[end:]
    return entries


@pytest.mark.parametrize("name", DATASETS)
def test_a_card_is_complete(name):
    entry = DATASETS[name]
    card = entry.card
    assert card.identifier == name
    assert card.title
    assert "\n" not in card.title
    assert card.modality in ("vision", "language")
    assert card.license
    assert card.source
    assert card.units
    assert card.species
    assert card.technique
    assert card.regions
    assert callable(entry.load)
    assert not card.own
    entries = bibtex_entries(card.bibtex)
    assert bool(entries) != card.simulated
    for fields in entries.values():
        assert {"title", "author", "year"} <= set(fields)
        assert 1900 < int(fields["year"]) < 2100
    if not card.simulated:
        assert bool(card.files) != callable(entry.fetch)
    assert len({file.name for file in card.files}) == len(card.files)
    for file in card.files:
        assert re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", file.digest)
        assert file.url is None or file.url.startswith("https://")
    assert set(card.published_ceilings) <= set(card.regions)
    assert all(0 < entry["value"] <= 1 for entry in card.published_ceilings.values())


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory):
    """A home in which the derived pictures of a data set are made once."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("contracts")
        patch.setenv("BRODMANN_HOME", str(folder))
        yield folder


def place_of(card, folders):
    """The folder of real recordings that holds a data set's files."""
    for folder in folders:
        if all(
            (folder / one.name).is_file() or (folder / Path(one.name).name).is_file() for one in card.files
        ):
            return folder
    return pytest.skip(f"the files of {card.identifier} are not at hand")


@pytest.mark.parametrize("name", [name for name in DATASETS if DATASETS[name].fetch is None])
def test_what_is_loaded_keeps_its_card(name, shared_home, request):
    card = DATASETS[name].card
    if not card.simulated:
        brodmann.add_dataset(name, place_of(card, sorted(request.getfixturevalue("test_data").iterdir())))
    data = load_dataset(name)
    assert (data.identifier, data.modality, data.simulated) == (name, card.modality, card.simulated)
    assert data.license == card.license
    assert data.units == card.units
    assert sorted(data.regions) == sorted(card.regions)
    assert len(data.stimuli) == card.n_stimuli
    check_stimuli(data.stimuli, name)
    if data.responses is not None:
        check_responses(data.responses, data.stimuli, name, data.kind)
        assert data.responses["neuroid_id"].to_index().is_unique
    assert data.digest == load_dataset(name).digest
    assert repr(data).startswith(f"Dataset {name!r}: {card.modality}")


def parts(holds):
    """Three stimuli twice, two neuroids: texts, whole numbers and numbers, as far as a format holds them."""
    rng = np.random.default_rng(0)
    everything = {
        "stimulus_id": np.repeat(["001", "NA", "a b"], 2),
        "repetition": np.tile([0, 1], 3),
        "session": np.arange(6) // 3,
        "neuroid_id": np.array(["v1", "v 2"]),
        "region": np.array(["V1", "IT"]),
        "x": np.array([0.1, -2.5e-7]),
    }
    return {"responses": rng.normal(size=(6, 2))} | {k: v for k, v in everything.items() if k in holds}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_says_what_it_is_and_is_found_by_its_suffix(name):
    one = FORMATS[name]
    assert one.name == name
    assert one.__doc__.splitlines()[0].endswith(".")
    assert {"stimulus_id", "neuroid_id"} <= set(one.holds)
    for suffix in one.suffixes:
        assert suffix.startswith(".")
        assert format_of(Path(f"responses{suffix}")) is one
        assert format_of(Path(f"RESPONSES{suffix.upper()}")) is one


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_format_writes_it_reads_back_the_same(name, tmp_path):
    one = FORMATS[name]
    written = parts(one.holds)
    one.write(tmp_path / f"responses{one.suffixes[0]}", written)
    found = read_responses(tmp_path)
    assert set(found) == set(written)
    for key, array in written.items():
        back = np.asarray(found[key])
        if back.dtype == object and key in ("run", "session"):  # labels of a table stay as they are written
            array = array.astype(str)
        assert back.tolist() == array.tolist(), key


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "damage", [lambda raw: raw[: len(raw) // 3], lambda raw: b"\xff\x00" * 40, lambda raw: b""]
)
def test_a_damaged_file_is_said_in_one_line(name, damage, tmp_path):
    path = tmp_path / f"responses{FORMATS[name].suffixes[0]}"
    FORMATS[name].write(path, parts(FORMATS[name].holds))
    path.write_bytes(damage(path.read_bytes()))
    pd.DataFrame({"stimulus_id": ["001", "NA", "a b"], "word": ["a", "b", "c"]}).to_csv(
        tmp_path / "stimuli.csv", index=False
    )
    with pytest.raises(UserError, match=r"responses|stimul") as caught:
        load_folder(tmp_path, "mine")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FORMATS)
def test_a_data_set_survives_every_format(name, tmp_path):
    data = simulated_cortex(n_stimuli=20)
    save_folder(data, tmp_path / "saved", file_format=name)
    again = load_folder(tmp_path / "saved", data.identifier)
    np.testing.assert_array_equal(again.responses.values, data.responses.values)
    for key in (*PRESENTATION, "neuroid_id", "region", "x", "y", "z", "row"):
        if key in data.responses.coords:
            assert again.responses[key].values.tolist() == data.responses[key].values.tolist(), key


@pytest.mark.parametrize("name", LOCALIZERS)
def test_a_localizer_sets_kinds_against_each_other_and_is_always_the_same(name, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "first"))
    stimuli = localizer(name)
    check_stimuli(stimuli, name)
    assert LOCALIZERS[name].description
    labels = [column for column in stimuli.columns if column not in ("stimulus_id", "filename", "sentence")]
    assert labels
    for column in ["category"] if "category" in labels else labels:
        counts = stimuli[column].value_counts()
        assert len(counts) >= 2
        assert counts.min() >= 4
    assert bool(stimuli.stimulus_paths) != ("sentence" in stimuli.columns)
    assert stimuli.identifier
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "second"))
    again = localizer(name)
    assert stimuli_digest(again) == stimuli_digest(stimuli)
    assert again.identifier == stimuli.identifier


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PLUGIN = '''
from brodmann.brain_data.card import DatasetCard, dataset
from brodmann.brain_data.formats.base import Format, add_format
from brodmann.brain_data.stimuli.localizers import add_localizer

@dataset(DatasetCard("two-words", "Two words", modality="language", simulated=True))
def load(card, folder):
    from brodmann.brain_data import Dataset
    return Dataset.from_arrays(card.identifier, [[1.0, 2.0], [2.0, 1.0]], ["a word", "another"])

@add_format
class Words(Format):
    """Words and numbers, a line each."""
    name, suffixes = "words", (".words",)
    def read(self, path):
        import numpy as np
        rows = [line.split() for line in path.read_text().splitlines()]
        values = np.array([row[1:] for row in rows], float)
        return {"stimulus_id": np.array([row[0] for row in rows]), "responses": values}
    def write(self, path, parts):
        raise NotImplementedError

@add_localizer("long-short", "long and short words")
def long_short():
    from brodmann.brain_data.stimuli.language_localizers import texts_of
    return texts_of({"long": ["strawberry", "caterpillar"], "short": ["a", "of"]}, "long-short")
'''


def test_another_package_adds_one_of_each_kind(tmp_path):
    (tmp_path / "lab_plugin.py").write_text(PLUGIN)
    about = tmp_path / "lab_plugin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-plugin\nVersion: 1.0\n")
    groups = ("datasets", "formats", "localizers")
    (about / "entry_points.txt").write_text(
        "\n".join(f"[brodmann.{group}]\nlab = lab_plugin" for group in groups)
    )
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "stimuli.csv").write_text("stimulus_id,word\ns0,dog\ns1,cat\n")
    (folder / "responses.words").write_text("s0 1 2\ns1 3 5\n")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import brodmann
from brodmann.brain_data.stimuli.localizers import localizer
print([card.identifier for card in brodmann.list_datasets("two*")])
print(brodmann.load_dataset("two-words").responses.values.tolist())
print(brodmann.load_dataset({str(folder)!r}).responses.values.tolist())
print(localizer("long-short")["category"].tolist())
"""
    assert run(code).splitlines() == [
        "['two-words']",
        "[[1.0, 2.0], [2.0, 1.0]]",
        "[[1.0, 2.0], [3.0, 5.0]]",
        "['long', 'long', 'short', 'short']",
    ]


def test_recordings_are_loaded_without_brainscore(tmp_path):
    save_folder(simulated_cortex(n_stimuli=20), tmp_path / "mine", file_format="csv")
    code = f"""
import sys
sys.modules["brainscore_core"] = None
from pathlib import Path
import brodmann
from brodmann.brain_data.stimuli.localizers import localizer
assert brodmann.load_dataset("simulated-cortex-language").simulated
own = brodmann.load_dataset(Path({str(tmp_path / "mine")!r}))
assert own.regions == ["V1", "IT"]
assert len(localizer("drawn-localizer")) == 360
try:
    brodmann.brain_data.to_brainio(own, Path({str(tmp_path)!r}))
except brodmann.UserError as error:
    print(error)
"""
    assert run(code).strip() == (
        "Brain-Score's files need the package brainscore-core: pip install 'brainscore-core>=2.5'"
    )
