import numpy as np
import pytest
from sklearn import metrics

from brodmann.analysis.interpretability.probes.scores import NAMES, document_draws, intervals, scores


def test_scores_are_those_of_scikit_learn_with_ties() -> None:
    generator = np.random.default_rng(0)
    y = generator.random(300) < 0.4
    odds = np.round(y + generator.normal(size=300), 1) - 0.35  # ties, and none at 0
    found = scores(odds, y)
    calls = odds > 0
    assert found.f1 == pytest.approx(metrics.f1_score(y, calls))
    assert found.precision == pytest.approx(metrics.precision_score(y, calls))
    assert found.recall == pytest.approx(metrics.recall_score(y, calls))
    assert found.auroc == pytest.approx(metrics.roc_auc_score(y, odds))
    assert found.average_precision == pytest.approx(metrics.average_precision_score(y, odds))
    assert found.mcc == pytest.approx(metrics.matthews_corrcoef(y, calls))
    assert found.log_loss == pytest.approx(metrics.log_loss(y, 1 / (1 + np.exp(-odds))))


def test_calls_that_are_all_the_same_have_no_correlation_and_no_precision() -> None:
    found = scores([-1.0, -2.0, -1.0, -3.0], [True, False, True, False])
    assert (found.mcc, found.precision, found.f1) == (0, 0, 0)
    assert found.auroc == 1


def test_documents_are_drawn_whole_and_within_their_kind() -> None:
    true = np.array([True] * 6 + [False] * 6 + [True, False] * 3)
    member = np.repeat(np.arange(9), 2)
    counts = document_draws(true, member, 50, 0)
    np.testing.assert_array_equal(counts[:, :3].sum(axis=1), 3)
    np.testing.assert_array_equal(counts[:, 3:6].sum(axis=1), 3)
    np.testing.assert_array_equal(counts[:, 6:].sum(axis=1), 3)


def test_fewer_than_four_documents_give_no_interval() -> None:
    found = intervals(np.arange(6.0) - 2.5, [False, True] * 3, np.repeat([0, 1, 2], 2))
    assert set(found) == set(NAMES)
    assert all(np.isnan(one).all() for one in found.values())


def _drawn(
    generator: np.random.Generator, n_documents: int, n_each: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log odds with a shift that texts of one document share, as large as what they have of their own."""
    document = np.repeat(np.arange(n_documents), n_each)
    y = generator.random(len(document)) < 0.5
    shared = generator.normal(size=n_documents)[document]
    return np.where(y, 1.0, -1.0) + shared + generator.normal(size=len(document)), y, document


@pytest.mark.parametrize("n_documents", [12, 40])
def test_intervals_hold_the_truth_as_often_as_they_say_where_texts_of_a_document_depend(
    n_documents: int,
) -> None:
    generator = np.random.default_rng(5)
    odds, y, _ = _drawn(generator, 20_000, 10)
    truth = scores(odds, y)
    inside = {"f1": 0, "auroc": 0, "log_loss": 0}
    naive = 0
    n = 200
    for draw in range(n):
        odds, y, document = _drawn(generator, n_documents, 10)
        found = intervals(odds, y, document, n_draws=300, random_state=draw)
        for name in inside:
            inside[name] += found[name][0] <= getattr(truth, name) <= found[name][1]
        alone = intervals(odds, y, np.arange(len(y)), n_draws=300, random_state=draw)["f1"]
        naive += alone[0] <= truth.f1 <= alone[1]
    for name, count in inside.items():
        assert 0.88 <= count / n <= 0.995, name
    assert naive / n < inside["f1"] / n - 0.05  # texts that are taken as independent promise too much
