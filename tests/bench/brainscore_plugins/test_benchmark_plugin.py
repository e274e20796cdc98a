"""Benchmarks on one's own recordings as Brain-Score plugins."""

import importlib
import importlib.util
import shutil
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import netCDF4
import pytest

pytest.importorskip("brainscore_core", reason="Brain-Score reads and runs its plugins")

from plugin_cases import METRICS, failures, scored_by_plugins

import brodmann
from brodmann import UserError
from brodmann.bench import record_of
from brodmann.bench.brainscore_plugins import check_plugin, write_benchmark_plugin, write_model_plugin
from brodmann.bench.brainscore_plugins.check.installed import put_package


def test_a_benchmark_of_ones_own_passes_every_check_and_gives_brodmanns_score(own_data, tmp_path):
    for identifier, registered in {
        "my-pictures.IT-pls": "my_pictures.IT-pls",
        "my-sentences.PostTemp-language_ridge": "my_sentences.PostTemp-ridge",
    }.items():
        files = write_benchmark_plugin(identifier, tmp_path)
        assert files.identifier == registered
        lines = (files.plugin / "__init__.py").read_text().splitlines()
        assert sum(f"benchmark_registry['{registered}']" in line for line in lines) == 1
        report = check_plugin(files)
        assert report.passed, report.text()
        own = brodmann.load_benchmark(identifier)
        assert f"ceiling {own.noise_ceiling.value:.4f}, version 2" in report.text()


def test_a_changed_recording_is_seen_by_the_plugins_own_test(own_data, tmp_path):
    files = write_benchmark_plugin("my-pictures.IT-rdm", tmp_path)
    assert "its ceiling 1" in " ".join(files.notes)
    with netCDF4.Dataset(files.plugin / "assembly.nc", "a") as stored:
        stored["data"][:8] = 9
    found = failures(check_plugin(files))
    assert found.keys() == {"zip: it holds the folder's files", "its own test passes"}
    assert found["its own test passes"].startswith("AssertionError")


@pytest.mark.parametrize("metric", [*METRICS, "language_linear", "language_ridge"])
def test_the_stand_ins_metrics_give_brodmanns_numbers(metric, own_data, tmp_path, monkeypatch):
    """Through the plugin's own test, in this process: the candidate's score is the one that was written there."""
    language = metric.startswith("language")
    identifier = f"my-sentences.PostTemp-{metric}" if language else f"my-pictures.IT-{metric}"
    files = write_benchmark_plugin(identifier, tmp_path / "out")
    library = f"brainscore_{files.domain}"
    put_package(files.domain, tmp_path / "site", Path(sys.executable), own=True)
    shutil.copytree(files.plugin, tmp_path / "site" / library / "benchmarks" / files.plugin.name)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("BS_INSTALL_DEPENDENCIES", "no")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn's of PLS, xarray's of subclasses
            test = importlib.import_module(f"{library}.benchmarks.{files.plugin.name}.test")
            test.test_the_score_is_brodmanns()
            assert test.RAW > 0.2
            test.RAW += 2 * test.TOLERANCE
            with pytest.raises(AssertionError):
                test.test_the_score_is_brodmanns()
    finally:
        for name in [
            one for one in sys.modules if one.startswith("brainscore_v") or one.startswith("brainscore_l")
        ]:
            del sys.modules[name]


def test_a_layer_is_scored_through_the_plugin_as_brodmann_scores_it(own_data, twin, written, tmp_path):
    """Model and benchmark as plugins side by side, in a process without brodmann."""
    score = brodmann.score(twin, "my-pictures.IT-ridge1", ["layer3.0"], n_bootstraps=0, n_permutations=0)
    files = write_benchmark_plugin("my-pictures.IT-ridge1", tmp_path)
    value, raw = scored_by_plugins(files, written, tmp_path)
    assert raw == pytest.approx(score.attrs["raw_value"], abs=1e-5)
    assert value == pytest.approx(float(score), abs=1e-5)


def test_a_subject_reads_passages_as_brodmann_does(own_data, stories, tmp_path):
    name = "my-sentences.PostTemp-language_ridge"
    (tmp_path / "mine.toml").write_text(f'["{name}-read"]\ndataset = "my-sentences"\nregion = "PostTemp"\n'
                                        'metric = "language_ridge"\ncontext = "passage"\nversion = 3\n')  # fmt: skip
    brodmann.bench.add_benchmark(tmp_path / "mine.toml")
    model = brodmann.load_model(stories)
    score = brodmann.score(model, f"{name}-read", ["layers.2"], n_bootstraps=0, n_permutations=0)
    subject = write_model_plugin([record_of(score)], model, tmp_path, identifier="reader")
    files = write_benchmark_plugin(f"{name}-read", tmp_path)
    assert "PASSAGE = 'story'" in (files.plugin / "benchmark.py").read_text()
    value, raw = scored_by_plugins(files, subject, tmp_path)
    assert raw == pytest.approx(score.attrs["raw_value"], abs=1e-4)
    assert value == pytest.approx(float(score), abs=1e-4)
    alone = brodmann.score(model, name, ["layers.2"], n_bootstraps=0, n_permutations=0)
    assert abs(alone.attrs["raw_value"] - raw) > 1e-3
    loaded = brodmann.load_benchmark(f"{name}-read")
    few = replace(loaded, card=replace(loaded.card, context=2))
    with pytest.raises(
        UserError, match="reads each text after 2 others, but a Brain-Score subject reads a passage"
    ):
        write_benchmark_plugin(few, tmp_path)


def test_what_brain_score_lacks_names_what_to_use(own_data, tmp_path):
    cases = {
        "my-pictures.IT-ridge": r"has no metric 'ridge': use ridgecv, or one of .*pls.*my-pictures\.IT-ridgecv",
        "my-pictures.IT-rsa": "use rdm, or one of",
        "my-sentences.PostTemp-linear": "use language_linear, or one of",
        "my-sentences.PostTemp-pls": "use language_linear, language_ridge, e",
        "simulated-cortex.IT-pls": "is not yours to publish",
    }
    for identifier, message in cases.items():
        with pytest.raises(UserError, match=message):
            write_benchmark_plugin(identifier, tmp_path)
    with pytest.raises(UserError, match="unknown region of Brain-Score vision 'FFA'"):
        write_benchmark_plugin("my-pictures.IT-pls", tmp_path, region="FFA")
    files = write_benchmark_plugin("my-pictures.IT-pls", tmp_path, region="V4")
    assert "models answer with the layer that they commit to V4" in files.notes
    assert not any(" " in path.name for path in files.root.rglob("*"))
