"""Localizers: made by brodmann, from folders and tables, and the real ones."""

import numpy as np
import pytest
from PIL import Image

from brodmann.brain_data.stimuli.drawn_localizers import drawn_categories, phase_scrambled
from brodmann.brain_data.stimuli.language_localizers import (
    language_conditions,
    sentences_nonwords,
    text_contrast,
)
from brodmann.brain_data.stimuli.localizers import localizer
from brodmann.errors import UserError


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path_factory.mktemp("home")))


def test_drawn_pictures_have_six_categories_with_scrambled_ones():
    found = localizer("drawn-localizer")
    assert found["category"].value_counts().to_dict() == dict.fromkeys(
        ["face", "body", "place", "object", "word", "scrambled"], 60
    )
    assert all(path.is_file() for path in found.stimulus_paths.values())
    assert set(localizer("drawn-categories")["category"]) == {"face", "body", "place", "object", "word"}


def test_scrambling_keeps_amplitudes_and_colours_and_takes_the_object():
    drawn = drawn_categories(5)
    with Image.open(drawn.stimulus_paths["localizer0000"]) as picture:
        whole = picture.convert("RGB")
    mixed = phase_scrambled(whole, np.random.default_rng(0))
    before, after = (np.asarray(one, float).mean(axis=2) for one in (whole, mixed))
    r = np.corrcoef(*(np.log1p(np.abs(np.fft.fft2(one))).ravel() for one in (before, after)))[0, 1]
    assert r > 0.9
    assert abs(np.corrcoef(before.ravel(), after.ravel())[0, 1]) < 0.5
    np.testing.assert_allclose(
        np.asarray(whole, float).mean(axis=(0, 1)), np.asarray(mixed, float).mean(axis=(0, 1)), atol=2
    )


def test_four_conditions_of_language():
    found = language_conditions(40)
    texts = {kind: found["sentence"][found["category"] == kind].tolist() for kind in set(found["category"])}
    real = {word for text in texts["sentences"] for word in text.rstrip(".").lower().split()}
    assert sum(word in real for text in texts["words"] for word in text.rstrip(".").lower().split()) > 150
    words = [word for text in texts["jabberwocky"] for word in text.rstrip(".").lower().split()]
    assert {"the", "a"} & set(words)
    content = [word for word in words if len(word) > 4]
    assert np.mean([word in real for word in content]) < 0.1
    nonwords = [word for text in texts["nonwords"] for word in text.rstrip(".").lower().split()]
    assert np.mean([word in real for word in nonwords if len(word) > 2]) < 0.05
    lengths = {kind: np.mean([len(text.split()) for text in one]) for kind, one in texts.items()}
    assert max(lengths.values()) - min(lengths.values()) < 2
    assert language_conditions(40)["sentence"].tolist() == found["sentence"].tolist()


def test_word_classes_hold_both_contrasts():
    nouns, concrete = localizer("nouns-verbs"), localizer("concrete-abstract")
    assert nouns["category"].value_counts().to_dict() == {"noun": 80, "verb": 80}
    assert concrete["category"].value_counts().to_dict() == {"concrete": 80, "abstract": 80}
    assert localizer("nouns-verbs", by="concreteness")["category"].tolist() == concrete["category"].tolist()
    assert sentences_nonwords(10)["category"].value_counts().to_dict() == {"sentences": 10, "nonwords": 10}


def test_two_files_of_texts(tmp_path):
    toxic, neutral = tmp_path / "toxic.txt", tmp_path / "neutral.txt"
    toxic.write_text("you fool\ngo away\n\nget lost\nshut up\n")
    neutral.write_text("good day\nthank you\nsee you\nwell done\nof course\n")
    found = text_contrast(toxic, neutral)
    assert found["category"].value_counts().to_dict() == {"neutral": 5, "toxic": 4}
    assert found.identifier == "toxic-neutral"
    with pytest.raises(UserError, match=r"missing.txt cannot be read"):
        text_contrast(tmp_path / "missing.txt", neutral)
    (tmp_path / "few.txt").write_text("one\n")
    with pytest.raises(UserError, match="holds 1 texts, one a line: at least 4"):
        text_contrast(tmp_path / "few.txt", neutral)
    with pytest.raises(UserError, match="both files are named 'toxic'"):
        text_contrast(toxic, toxic)


def test_localizers_from_tables(tmp_path):
    table = tmp_path / "texts.csv"
    table.write_text("text,label\nyou fool,toxic\ngo away,toxic\ngood day,neutral\nthank you,neutral\n")
    found = localizer(table)
    assert found["category"].tolist() == ["toxic", "toxic", "neutral", "neutral"]
    assert found["sentence"].iloc[0] == "you fool"
    table.write_text("text,kind\na,b\n")
    with pytest.raises(UserError, match=r"needs a column .* it has 'text', 'kind'"):
        localizer(table)
    with pytest.raises(
        UserError,
        match="unknown localizer 'xyz': give drawn-categories, drawn-localizer, gratings, .*, a folder of pictures",
    ):
        localizer("xyz")
    with pytest.raises(UserError, match="unknown localizer 'noun-verbs': did you mean 'nouns-verbs'"):
        localizer("noun-verbs")
    with pytest.raises(UserError, match="unknown column of nouns-verbs 'clas': did you mean 'class'"):
        localizer("nouns-verbs", by="clas")


def test_the_real_localizers(test_data):
    words = localizer(test_data / "fedorenko2010-langloc")
    assert words["category"].value_counts().to_dict() == {"sentences": 240, "nonwords": 240}
    assert words["sentence"].iloc[0] == "just the barest suggestion of a heel is found on teenage pumps"
    pictures = localizer(test_data / "floc-subset")
    assert pictures["category"].value_counts().to_dict() == {
        "faces": 16,
        "bodies": 32,
        "objects": 32,
        "places": 32,
        "characters": 32,
        "scrambled": 16,
    }
    assert localizer(test_data / "floc-subset", by="folder")["category"].nunique() == 10
    folder = test_data / "topolm-stimuli"
    kinds = localizer(folder / "fedorenko_stimuli.csv")["category"]
    assert kinds.value_counts().to_dict() == dict.fromkeys(
        ["sentences", "words", "jabberwocky", "nonwords"], 160
    )
    pairs = localizer(folder / "elli_stimuli.csv", by="class")
    assert pairs["category"].value_counts().to_dict() == {"noun": 288, "verb": 288}
    assert pairs["sentence"].iloc[0] == "the garage the rink"
    single = folder / "moseley_stimuli.csv"
    assert localizer(single)["category"].value_counts().to_dict() == {"abstract": 80, "concrete": 80}
    assert localizer(single, by="class")["category"].value_counts().to_dict() == {"noun": 80, "verb": 80}
