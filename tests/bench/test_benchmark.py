"""Benchmarks by name, and one's own from a file."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import brodmann
from brodmann import UserError
from brodmann.bench import ScoringOptions, add_benchmark, benchmark_card, list_benchmarks, make_benchmark
from brodmann.bench.benchmark import is_published, load_benchmark, with_folds
from brodmann.brain_data.simulated_cortex import simulated_cortex


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
    assert benchmark.metric.sampling.n_splits == 4


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
        (
            '["simulated-cortex.IT-linear"]\ncontext = "pasage"',
            "simulated-cortex.IT-linear: context must be 'none', 'passage' or a whole number from 0, not 'pasage'",
        ),
        (
            '["simulated-cortex.IT-linear"]\ncontext = -1',
            "simulated-cortex.IT-linear: context must be 'none', 'passage' or a whole number from 0, not -1",
        ),
        (
            '["simulated-cortex.IT-linear"]\nversion = "x"',
            "simulated-cortex.IT-linear: version must be a whole number from 1, not 'x'",
        ),
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


def held_out_r(features, responses):
    """Ridge on even stimuli, r on odd ones."""
    from brodmann.correlation import pearson

    x, y = features[::2], responses[::2]
    weights = np.linalg.solve(x.T @ x + 0.1 * np.eye(x.shape[1]), x.T @ (y - y.mean(axis=0)))
    return pearson(features[1::2] @ weights, responses[1::2])


@pytest.fixture(scope="module")
def at_hand():
    return simulated_cortex(n_stimuli=100)


def test_a_data_set_at_hand_and_a_metric_by_name_make_the_declared_benchmark(at_hand):
    made = make_benchmark(at_hand, "IT", "ridge", stratify="category", folds=4)
    card = replace(benchmark_card("simulated-cortex.IT-ridge"), options={"stratify": "category", "folds": 4})
    declared = make_benchmark(card, at_hand)
    assert made.identifier == declared.identifier == "simulated-cortex.IT-ridge"
    for one, other in zip(made.metric.sampling.tests, declared.metric.sampling.tests, strict=True):
        np.testing.assert_array_equal(one, other)
    assert made.metric.sampling.n_splits == len(made.metric.sampling.folds) == 4
    assert made.noise_ceiling.value == declared.noise_ceiling.value
    assert made.card.simulated


def test_a_function_is_a_metric(at_hand, tmp_path):
    benchmark = make_benchmark(at_hand, "IT", held_out_r)
    assert benchmark.identifier == "simulated-cortex.IT-held_out_r"
    recorded, options = benchmark.recording, ScoringOptions(n_bootstraps=50, n_permutations=39)
    features = at_hand.truth["features"]["IT"]
    rng = np.random.default_rng(0)
    layers = {"noise": rng.normal(size=features.shape), "truth": features}
    result = benchmark.metric.evaluate(layers, recorded, benchmark.noise_ceiling, options)
    assert result.layer == "truth"
    kept = np.isfinite(result.per_unit)
    assert result.n_neuroids == kept.sum()
    assert kept.all()
    assert result.value == pytest.approx(
        np.median(result.per_unit) / np.sqrt(np.median(benchmark.noise_ceiling.per_neuroid))
    )
    assert result.p == pytest.approx(1 / 40)
    assert result.ci[0] < result.value < result.ci[1]
    alone = benchmark.metric.evaluate({"truth": features}, recorded, benchmark.noise_ceiling, options)
    np.testing.assert_allclose(alone.per_unit[kept], held_out_r(features, recorded.mean)[kept])
    nothing = benchmark.metric.evaluate(
        {"noise": layers["noise"]}, recorded, benchmark.noise_ceiling, options
    )
    assert nothing.p > 1 / 40
    assert abs(nothing.value) < 0.3
    scores = [
        brodmann.score("pixels", benchmark, run=tmp_path, n_bootstraps=3, n_permutations=3) for _ in range(2)
    ]
    assert [one.attrs["cached"] for one in scores] == [False, True]
    assert float(scores[0]) == float(scores[1])


@pytest.mark.parametrize(
    ("region", "metric", "options", "message"),
    [
        (None, "ridge", {}, "holds several regions: name one of V1, "),
        ("ITT", "ridge", {}, "unknown region of simulated-cortex 'ITT'"),
        ("IT", "rigde", {}, "unknown metric 'rigde': did you mean 'ridge'"),
        ("IT", "cka", {"folds": 3}, r"unknown option of simulated-cortex.IT 'folds'.*cka has no options"),
        ("IT", held_out_r, {"folds": 3}, "folds: options belong to a metric by name"),
        ("IT", 3, {}, "3 is no metric: give a name, a function"),
        ("IT", "ridge", {"folds": 0}, "the number of folds must be a whole number from 2, not 0"),
        ("IT", "ridge", {"folds": "a"}, "the number of folds must be a whole number from 2, not 'a'"),
        (
            "IT",
            "decoding",
            {"inner_folds": 2.5},
            "the number of inner folds must be a whole number from 2, not 2.5",
        ),
        (
            "IT",
            "ridge",
            {"context": "pasage"},
            "context must be 'none', 'passage' or a whole number from 0, not 'pasage'",
        ),
        ("IT", "ridge", {"version": "x"}, "version must be a whole number from 1, not 'x'"),
        ("IT", "ridge", {"version": 0}, "version must be a whole number from 1, not 0"),
    ],
)
def test_what_makes_no_benchmark_is_said_in_one_line(at_hand, region, metric, options, message):
    with pytest.raises(UserError, match=message) as refused:
        make_benchmark(at_hand, region, metric, **options)
    assert "\n" not in str(refused.value)


def evaluated(benchmark, layer=None):
    features = {"a": benchmark.recording.mean if layer is None else layer}
    options = ScoringOptions(n_bootstraps=0, n_permutations=0)
    return benchmark.metric.evaluate(features, benchmark.recording, benchmark.noise_ceiling, options)


@pytest.mark.parametrize(
    ("given", "gave"),
    [
        (lambda r: r.mean(), r"one of shape \(\)"),
        (lambda r: 7.0, r"one of shape \(\)"),
        (lambda r: None, r"one of shape \(\)"),
        (lambda r: r[1:], r"one of shape \(\d+,\)"),
        (lambda r: np.full(len(r), 7.0), r"7 \(a metric of another range: docs/adding/metric.md\)"),
        (lambda r: np.where(np.arange(len(r)) == 1, -np.inf, r), "-inf"),
        (lambda r: r * 1j, "complex128"),
        (lambda r: r.astype(str), "<U32"),
        (lambda r: [[one] * (i + 1) for i, one in enumerate(r)], "rows of different lengths"),
        (lambda r: np.where(np.arange(len(r)) == 1, np.nan, r), "NaN where features and responses vary"),
        (lambda r: np.ma.array(r, mask=np.arange(len(r)) == 1), "masked values"),
    ],
)
def test_a_function_that_does_not_give_one_r_a_neuroid_is_refused(at_hand, given, gave):
    benchmark = make_benchmark(at_hand, "IT", lambda x, y: given(held_out_r(x, y)))
    expected = (
        r"must give one r a neuroid, an array of shape \(\d+,\) of real numbers from -1 to 1, and gave "
    )
    with pytest.raises(UserError, match=expected + gave) as refused:
        evaluated(benchmark)
    assert "\n" not in str(refused.value)


def test_a_function_may_say_nan_of_a_layer_that_does_not_vary(at_hand):
    from brodmann.correlation import pearson

    benchmark = make_benchmark(at_hand, "IT", lambda x, y: pearson(x[:, :1], y).astype(np.float32))
    assert evaluated(benchmark, np.ones((100, 3))).value == 0
    assert evaluated(benchmark).layers["a"] > 0


def test_a_benchmark_says_what_it_is_and_its_ceiling_once_it_is_known(at_hand):
    benchmark = make_benchmark(at_hand, "IT", "ridge", folds=4)
    shown = repr(benchmark)
    n = benchmark.recording.responses.shape
    for part in (
        "'simulated-cortex.IT-ridge' version 2",
        "data set simulated-cortex (simulated)",
        "region IT",
        "ridge(folds=4)",
        f"{n[0]} stimuli",
        f"{n[2]} neuroids",
        f"{n[1]} repetitions",
    ):
        assert part in shown
    assert "ceiling" not in shown
    value = benchmark.noise_ceiling.value
    assert f"noise ceiling reliability {value:.3f}" in repr(benchmark)


@pytest.mark.parametrize("name", ["simulated-cortx.IT-ridge", "simulated-cortex.IT-rigde", "nonsense"])
def test_a_misspelt_name_is_answered_without_torch(name):
    code = (
        "import sys, brodmann\n"
        f"try: brodmann.score('pixels', {name!r})\n"
        "except brodmann.UserError as error: print(error)\n"
        "print([m for m in ('torch', 'sklearn', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("unknown ")
    assert done.stdout.rstrip().endswith("[]")


def test_an_option_that_the_metric_would_not_use_is_refused_at_the_declaration(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('["simulated-cortex.IT-pls"]\nfolds = 4\n')
    with pytest.raises(
        UserError, match=r"unknown option of simulated-cortex.IT-pls 'folds'.*pls has stratify"
    ):
        add_benchmark(path)
    for card in list_benchmarks():
        assert benchmark_card(card.identifier) == card


def test_other_folds_make_another_benchmark():
    card = benchmark_card("simulated-cortex.IT-ridge")
    other = benchmark_card("simulated-cortex.IT-ridge@folds=leave-category-out")
    assert is_published(card.identifier)
    assert not is_published(other.identifier)
    assert other == with_folds(card, "leave-category-out")
    assert other.identifier == "simulated-cortex.IT-ridge@folds=leave-category-out"
    assert other.options == {"folds": "leave-category-out"}
    assert (card.dataset, card.region, card.metric) == (other.dataset, other.region, other.metric)
    assert with_folds(other, "leave-category-out") is other
    assert with_folds(other, 3).identifier == "simulated-cortex.IT-ridge@folds=3"
    assert with_folds(card, "shuffled").options == {**card.options, "folds": "shuffled"}


@pytest.mark.parametrize("name", ["pls", "rsa", "cka"])
def test_a_metric_with_folds_of_its_own_takes_no_others(name):
    with pytest.raises(UserError, match="folds"):
        with_folds(benchmark_card(f"simulated-cortex.IT-{name}"), "shuffled")


def test_a_benchmark_declares_training_and_test_stimuli(tmp_path):
    declared = tmp_path / "mine.toml"
    declared.write_text(
        '["simulated-cortex.here-there"]\nregion = "IT"\nmetric = "ridge"\n'
        'train = "category=face"\ntest = ["category=place", "category=body"]\n'
    )
    add_benchmark(declared)
    loaded = load_benchmark("simulated-cortex.here-there")
    values = loaded.recording.columns["category"]
    tests = [set(values[one]) for one in loaded.metric.sampling.tests]
    assert tests == [{"place"}, {"body"}]
    assert {name for fold in loaded.metric.sampling.folds for name in values[fold.split.train]} == {"face"}
    left = load_benchmark("simulated-cortex.IT-ridge@folds=leave-category-out")
    assert [len(set(values[one])) for one in left.metric.sampling.tests] == [1] * len(set(values))
