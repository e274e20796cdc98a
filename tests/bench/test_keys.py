"""A stored score answers the same question alone: what a key holds, and what it does not."""

import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import brodmann
from brodmann.models import ImagePreprocessing, VisionModel
from brodmann.models.extraction.torch_model import Network
from brodmann.source_digest import PACKAGE, WITHOUT_NUMBERS, code_digest, imported_by

QUICK = {"n_bootstraps": 0, "n_permutations": 0}
METRIC = """
from brodmann.bench import MetricResult
import numpy as np

class Mine:
    name = "mine"

    def ceiling(self, recorded):
        from brodmann.bench import Ceiling
        return Ceiling("none", float("nan"))

    def memory(self, recorded, n_units):
        return 0

    def evaluate(self, layers, recorded, ceiling, options):
        layer = next(iter(layers))
        value = VALUE
        return MetricResult(
            value=value, raw=value, per_unit=np.array([value]), unit="none", normalization="none", layer=layer,
            layer_by_split=[layer], layers={layer: value}, ci=(np.nan, np.nan), p=np.nan,
            n_stimuli=recorded.n_stimuli, n_neuroids=1,
        )
"""


@pytest.fixture(scope="module")
def benchmark():
    return brodmann.load_benchmark("simulated-cortex.V1-ridge")


def own_metric(value, place):
    source = METRIC.replace("VALUE", str(value))
    space = {"__name__": "__main__"}
    if place == "console":
        exec(source, space)
    else:
        path = place / "my_metric.py"
        path.write_text(source)
        exec(compile(source, path, "exec"), space)
    return space["Mine"]()


@pytest.mark.parametrize("place", ["console", "file"])
def test_a_metric_of_ones_own_that_was_edited_is_computed_anew(benchmark, tmp_path, place):
    where = tmp_path if place == "file" else place
    scores = [
        brodmann.score(
            "pixels", replace(benchmark, metric=own_metric(value, where)), run=tmp_path / "run", **QUICK
        )
        for value in (0.25, 0.75, 0.25)
    ]
    assert [float(score) for score in scores] == [0.25, 0.75, 0.25]
    assert [score.attrs["cached"] for score in scores] == [False, False, True]


def small_network(preprocess, **options):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    return VisionModel(module, identifier="small", preprocess=preprocess, layers=["1"], **options)


def test_preprocessing_that_differs_for_small_pictures_alone_is_another_model():
    whole = ImagePreprocessing(16)

    def crops_the_small(image):
        return whole(image.crop((0, 0, 8, 8)) if min(image.size) < 97 else image)

    large, small = (
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (n, n, 3), dtype=np.uint8))
        for n in (97, 96)
    )
    assert torch.equal(whole(large), crops_the_small(large))
    assert not torch.equal(whole(small), crops_the_small(small))
    assert small_network(whole).digest != small_network(crops_the_small).digest
    assert small_network(crops_the_small).digest == small_network(crops_the_small).digest


@pytest.mark.parametrize("way", ["precision", "half", "dtype", "pool"])
def test_how_numbers_are_computed_stands_in_the_key(benchmark, way, tmp_path, monkeypatch):
    from brodmann.bench.score_key import score_key
    from brodmann.models import Readout

    plain = small_network(ImagePreprocessing(16))
    other = small_network(
        ImagePreprocessing(16), readout=Readout(half=way == "half", pool="mean" if way == "pool" else "none")
    )
    before = torch.get_float32_matmul_precision()
    key = score_key(benchmark, plain, ["1"]).digest
    assert key == score_key(benchmark, small_network(ImagePreprocessing(16)), ["1"]).digest
    if way == "dtype":
        other.module.double()
    try:
        if way == "precision":
            torch.set_float32_matmul_precision("medium")
        assert score_key(benchmark, other, ["1"]).digest != key
    finally:
        torch.set_float32_matmul_precision(before)


def test_the_class_of_device_stands_in_the_key_of_activations_and_not_in_what_the_model_is():
    model = small_network(ImagePreprocessing(16))
    digest, numerics = model.digest, dict(model.numerics)
    assert numerics["device"] == "cpu"
    elsewhere = model.replaced(device=torch.device("cuda"))
    assert elsewhere.numerics["device"] == "cuda"
    assert "tf32" in elsewhere.numerics["matmul"]
    assert elsewhere.digest == digest


def test_where_regressions_compute_stands_in_the_key_where_it_is_not_where_the_network_does(monkeypatch):
    """Records of a processor stay found, and those of a card whose network and regressions run there."""
    from brodmann.bench import score_key as keys

    ridge, rsa = (brodmann.load_benchmark(f"simulated-cortex.V1-{name}") for name in ("ridge", "rsa"))
    model = small_network(ImagePreprocessing(16))
    card = model.replaced(device=torch.device("cuda"))

    def digest(benchmark, model, where):
        monkeypatch.setattr(keys, "products_device", lambda: where)
        return keys.score_key(benchmark, model, ["1"]).digest

    assert keys._apart({}, {"device": "cuda"}) == []
    for network in (model, card):
        assert digest(ridge, network, "cpu") != digest(ridge, network, "cuda")
        assert digest(rsa, network, "cpu") == digest(rsa, network, "cuda")
    assert keys._apart(keys.products_of(ridge), card.numerics) == []
    before = digest(ridge, card, "cuda"), digest(ridge, card, "cpu")
    monkeypatch.setenv("BRODMANN_PRODUCTS", "tf32")
    assert digest(ridge, card, "cuda") != before[0]
    assert keys.products_of(ridge)["products"] == "tf32"
    assert digest(ridge, card, "cpu") == before[1]
    monkeypatch.delenv("BRODMANN_PRODUCTS")
    monkeypatch.setattr(keys, "products_device", lambda: "cpu")
    said = {"device": "cpu", "matmul": "highest"}
    assert keys.products_of(ridge) == said
    assert keys._apart(said, {}) == keys._apart(said, model.numerics) == []
    assert keys._apart(said, {"device": "mps", "matmul": "highest"}) == []
    assert keys._apart(said, {"device": "cpu", "matmul": "medium"}) == [said]


def test_a_recording_that_was_replaced_is_another_question(benchmark):
    from brodmann.bench.score_key import score_key

    model = small_network(ImagePreprocessing(16))
    key = score_key(benchmark, model, ["1"]).digest
    assert (
        benchmark.recording.mean.shape[0] == 500
    )  # what a recording keeps of its own answers does not count
    assert score_key(benchmark, model, ["1"]).digest == key
    other = replace(benchmark, recording=replace(benchmark.recording, cube=benchmark.recording.cube + 1))
    assert score_key(other, model, ["1"]).digest != key


BY_VALUE = {"bench.benchmark"}
"""Holds the card, the recording and the metric, and all three stand in the key by what they are."""
SCORES = [
    ("gabor-pyramid", "simulated-cortex.V1-ridge", ["pooled"]),
    ("gabor-pyramid", "simulated-cortex.V1-linear", ["pooled"]),
    ("twin-vision-topographic", "simulated-cortex.IT-rsa", ["layer4.0"]),
    ("simulated-truth", "simulated-cortex.V1-decoding", ["V1"]),
    ("simulated-truth", "simulated-cortex.IT-cka", ["IT"]),
    ("simulated-truth", "simulated-cortex.IT-pls", ["IT"]),
    ("random-transformer", "simulated-cortex-language.language-language_linear", ["blocks.1"]),
]


def entered_by(call):
    """The modules of this package in which a function runs during a call, in any thread."""
    seen = set()

    def note(frame, event, _argument):
        if event == "call" and frame.f_code.co_name != "<module>":
            seen.add(frame.f_code.co_filename)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    inside = (Path(name) for name in seen if Path(name).is_relative_to(PACKAGE))
    names = (path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".") for path in inside)
    return {name for name in names if not name.startswith("tests")}


@pytest.mark.parametrize(("name", "benchmark_name", "layers"), SCORES)
def test_every_module_that_a_number_passes_through_is_in_the_key(name, benchmark_name, layers):
    from brodmann.bench import ScoringOptions
    from brodmann.bench.layer_comparison import compare_layers
    from brodmann.bench.score_key import code_of_score

    benchmark, model = brodmann.load_benchmark(benchmark_name), brodmann.load_model(name)
    model = model.replaced(cache=False) if isinstance(model, Network) else model
    options = ScoringOptions(n_bootstraps=20, n_permutations=20)
    entered = entered_by(lambda: compare_layers(model, benchmark, layers, options))
    keyed = imported_by(code_of_score(benchmark, model))
    assert entered - WITHOUT_NUMBERS - BY_VALUE <= keyed
    print(
        f"{name} on {benchmark_name}: {len(entered)} entered, {len(keyed)} keyed, unused",
        sorted(keyed - entered),
    )


def test_every_module_that_a_nuisance_space_passes_through_is_in_the_key():
    from brodmann.bench import ScoringOptions
    from brodmann.bench.layer_comparison import compare_layers
    from brodmann.bench.nuisance_spaces import open_space
    from brodmann.bench.score_key import code_of_score

    benchmark = brodmann.load_benchmark("simulated-cortex-language.language-ridge")
    model = brodmann.load_model("random-transformer").replaced(cache=False)
    names = ["position", "category", "word-length-frequency", "static:twin-language-baseline"]
    spaces = [open_space(name, benchmark) for name in names]
    options = ScoringOptions(n_bootstraps=2, n_permutations=2)
    made = {one.name: one.features for one in spaces}
    entered = entered_by(lambda: compare_layers(model, benchmark, ["blocks.1"], options, made))
    modules = {*code_of_score(benchmark, model), *(module for one in spaces for module in one.modules)}
    assert entered - WITHOUT_NUMBERS - BY_VALUE <= imported_by(sorted(modules))
    assert "analysis.encoding.two_bands" in entered


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of this package's code."""
    folder = tmp_path_factory.mktemp("copy")
    for path in (*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")):
        if "tests" not in path.relative_to(PACKAGE).parts:
            target = folder / path.relative_to(PACKAGE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return folder


def test_an_edit_in_any_module_changes_the_keys_of_the_scores_that_pass_through_it_and_no_others(copied):
    from brodmann.bench.score_key import code_of_score

    roots = {
        (name, benchmark_name): code_of_score(
            brodmann.load_benchmark(benchmark_name), brodmann.load_model(name)
        )
        for name, benchmark_name, _ in SCORES
    }
    before = {score: code_digest(modules, copied) for score, modules in roots.items()}
    changes = {}
    for path in sorted(copied.rglob("*.py")):
        text = path.read_text()
        path.write_text(f"# a comment\n{text}")
        assert {score: code_digest(modules, copied) for score, modules in roots.items()} == before, path
        path.write_text(f"{text}\nEDITED = True\n")
        changes[path.relative_to(copied).with_suffix("").as_posix().replace("/", ".")] = {
            score for score, modules in roots.items() if code_digest(modules, copied) != before[score]
        }
        path.write_text(text)
    assert len(changes) > 150
    for score, modules in roots.items():
        assert {module for module, changed in changes.items() if score in changed} == imported_by(modules), (
            score
        )
