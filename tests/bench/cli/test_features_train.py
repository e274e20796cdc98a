"""`brodmann features train`: a dictionary from a folder of texts or pictures, and mistakes in one line."""

import json

import pytest

from brodmann.analysis.interpretability.dictionary import Dictionary

LAYER = "transformer.h.1.mlp.gelu"
SMALL = ("--layer", LAYER, "--features", "64", "--active", "4", "--rows", "8k", "--batch-rows", "512")


@pytest.fixture
def texts(tmp_path):
    place = tmp_path / "texts"
    place.mkdir()
    for i in range(12):
        (place / f"{i}.txt").write_text(
            f"the dog saw {i} birds in the garden and ran away from the horse . " * 20
        )
    return place


def train(brodmann, texts, folder, *more):
    return brodmann(
        "features", "train", "twin-language-topographic", *SMALL, "--texts", texts, "--folder", folder, *more
    )


def test_a_dictionary_is_written_and_says_what_it_is_of(brodmann, texts, tmp_path):
    folder = tmp_path / "a.features"
    code, out, err = train(brodmann, texts, folder, "--seed", "3", "--json")
    assert code == 0, err
    assert json.loads(out)
    one = Dictionary.load(folder)
    assert (one.n_features, one.n_units, one.weights.k) == (64, 256, 4)
    assert (one.site.model, one.site.layer, one.site.row) == ("twin-language-topographic", LAYER, "token")
    assert one.facts["seeds"]["init"] == 3
    assert one.facts["rows"]["seen"] >= 7680


def test_the_same_command_gives_the_same_digits_and_another_seed_others(brodmann, texts, tmp_path):
    digests = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        folder = tmp_path / f"{name}.features"
        assert train(brodmann, texts, folder, "--seed", seed)[0] == 0
        digests.append(Dictionary.load(folder).digest)
    assert digests[0] == digests[1] != digests[2]


def test_pictures_are_read_place_by_place(brodmann, tmp_path):
    folder = tmp_path / "v.features"
    code, _, err = brodmann(
        "features", "train", "twin-vision-topographic", "--layer", "layer4.0.conv1", "--features", "64",
        "--active", "4", "--rows", "2k", "--batch-rows", "256", "--folder", folder,
    )  # fmt: skip
    assert code == 0, err
    one = Dictionary.load(folder)
    assert (one.n_units, one.site.row) == (196, "place")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--variant", "topp"), "did you mean 'topk'"),
        (("--features", "many"), "features"),
        (("--features", "600x"), "256"),
        (("--rows", "few"), "rows"),
        (("--active", "65"), "65"),
        (("--layer", "transformer.h.1.mlp.gelo"), "transformer.h.1.mlp.gelu"),
        (("--precision", "fp8"), "fp8"),
        (("--pictures", "."), "--pictures"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(brodmann, texts, tmp_path, more, said):
    folder = tmp_path / "a.features"
    code, out, err = train(brodmann, texts, folder, *more)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1, err
    assert said in err
    assert not folder.exists()
