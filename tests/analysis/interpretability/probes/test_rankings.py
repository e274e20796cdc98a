import numpy as np
import pytest
from scipy.stats import ttest_ind

from brodmann.analysis.interpretability.probes.rankings import RANKINGS, mutual_information, ranked
from brodmann.errors import UserError


def _planted() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    y = generator.random(1500) < 0.5
    x = generator.normal(size=(1500, 30)) / 10
    for unit, shift in ((4, 0.15), (17, -0.12), (23, 0.1)):
        x[:, unit] += np.where(y, shift, 0)
    return x, y


@pytest.mark.parametrize("name", RANKINGS)
def test_every_ranking_puts_the_planted_units_first(name: str) -> None:
    x, y = _planted()
    assert set(ranked(name, x, y)[:3]) == {4, 17, 23}


def test_a_unit_that_differs_in_spread_alone_is_found_by_mutual_information_alone() -> None:
    generator = np.random.default_rng(1)
    y = generator.random(2000) < 0.5
    x = generator.normal(size=(2000, 10))
    x[:, 6] *= np.where(y, 3, 0.3)
    x[:, 6] -= np.where(y, x[y, 6].mean(), x[~y, 6].mean())
    assert ranked("mutual information", x, y)[0] == 6
    assert ranked("mean difference", x, y)[-1] == 6


def test_information_of_the_label_itself_is_its_entropy_and_of_noise_little() -> None:
    generator = np.random.default_rng(2)
    y = np.arange(1000) % 2 == 0
    found = mutual_information(np.column_stack([y * 1.0, generator.normal(size=(1000, 40))]), y)
    assert found[0] == pytest.approx(np.log(2))
    assert found[1:].mean() == pytest.approx(15 / 2000, rel=0.3)


def test_welch_is_scipys_t() -> None:
    x, y = _planted()
    np.testing.assert_allclose(
        RANKINGS["welch"](x, y), np.abs(ttest_ind(x[y], x[~y], equal_var=False).statistic), rtol=1e-9
    )


def test_an_unknown_ranking_is_one_line() -> None:
    with pytest.raises(UserError, match="unknown ranking 'welsh': did you mean 'welch'"):
        ranked("welsh", *_planted())
