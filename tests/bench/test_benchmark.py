"""Benchmarks by name, and one's own from a file."""

import pytest

import brodmann
from brodmann import UserError
from brodmann.bench import add_benchmark, benchmark_card, list_benchmarks


def test_the_names_that_do_not_drift_are_there():
    names = {card.identifier for card in list_benchmarks()}
    assert {
        "kriegeskorte2008.hIT-rsa",
        "kriegeskorte2008.mIT-rsa",
        "haxby2001-slice.posterior-decoding",
        "tuckute2024.netw-ridge",
        "tang2018.V1-ridge",
        "zhang2011.IT-decoding",
        "simulated-cortex.V1-ridge",
        "MajajHong2015.IT.public-pls",
        "Pereira2018.243sentences-linear",
    } <= names


def test_every_simulated_benchmark_says_so():
    for card in list_benchmarks():
        assert card.simulated == card.identifier.startswith("simulated-")


def test_any_region_and_metric_of_a_data_set_make_a_benchmark():
    benchmark = brodmann.load_benchmark("simulated-cortex.V1-linear")
    assert benchmark.metric.name == "linear"
    assert benchmark.recording.name == "simulated-cortex.V1"
    assert float(benchmark.ceiling) == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("simulated-cortex.IT-rigde", "unknown metric 'rigde': did you mean 'ridge'"),
        ("simulated-cortx.IT-ridge", "did you mean 'simulated-cortex.IT-ridge'"),
        ("simulated-cortex.ITT-ridge", "unknown region of simulated-cortex 'ITT': did you mean 'IT'"),
        ("nonsense", "unknown benchmark 'nonsense'"),
    ],
)
def test_a_misspelt_benchmark_is_answered_with_what_is_close(name, message):
    with pytest.raises(UserError, match=message):
        brodmann.load_benchmark(name)


def test_a_benchmark_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('["simulated-cortex.IT-linear"]\nstratify = "category"\nfolds = 4\nversion = 2\n')
    assert add_benchmark(path) == ["simulated-cortex.IT-linear"]
    benchmark = brodmann.load_benchmark("simulated-cortex.IT-linear")
    assert benchmark.version == 2
    assert benchmark.metric.splitter.n_splits == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[broken", "not valid TOML"),
        (
            '["simulated-cortex.IT-linear"]\nfold = 4',
            "unknown option of simulated-cortex.IT-linear 'fold': did you mean",
        ),
        ('["simulated-cortex.IT-lnear"]', "unknown metric 'lnear': did you mean 'linear'"),
        ('["nobody.IT-linear"]', "unknown data set 'nobody'"),
        ("version = 3", "stands outside a benchmark"),
        ("", "declares no benchmark"),
    ],
)
def test_a_wrong_declaration_is_refused_and_not_kept(tmp_path, content, message, brodmann_home):
    path = tmp_path / "wrong.toml"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        add_benchmark(path)
    assert not (brodmann_home / "benchmarks" / "wrong.toml").exists()


def test_a_column_that_is_not_there_is_named(tmp_path):
    card = benchmark_card("simulated-cortex.IT-ridge")
    wrong = type(card)(**{**vars(card), "options": {"stratify": "categry"}})
    with pytest.raises(
        UserError, match="unknown stimulus column of simulated-cortex.IT 'categry': did you mean"
    ):
        brodmann.bench.make_benchmark(wrong, brodmann.load_dataset("simulated-cortex"))


def test_three_stimuli_for_ten_folds_are_refused():
    from brodmann.analysis.encoding.cross_validation import Splitter

    with pytest.raises(UserError, match="3 stimuli are too few for 10 folds"):
        Splitter(n_splits=10).split(3)
    with pytest.raises(UserError, match="2 groups are too few for 5 folds"):
        Splitter(n_splits=5).split(20, groups=["a", "b"] * 10)
