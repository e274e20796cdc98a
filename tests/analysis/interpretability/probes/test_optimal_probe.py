import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from brodmann.analysis.interpretability.probes.optimal_probe import (
    HingeProblem,
    optimal_support,
    silent_output,
)
from brodmann.errors import UserError


def _scaled(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=0)) / (10 * x.std(axis=0))


def _correlated(n: int = 160, p: int = 18, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A unit that is the best alone, and three that are better together."""
    generator = np.random.default_rng(seed)
    y = generator.random(n) < 0.45
    x = generator.normal(size=(n, 18))
    x[:, [3, 7, 11]] += np.where(y, 0.6, -0.6)[:, None]
    x[:, 5] += x[:, 3] + x[:, 7]
    return _scaled(x[:, :p]), y


def test_the_support_is_that_of_brute_force_over_all_of_three_in_eighteen() -> None:
    x, y = _correlated()
    problem = HingeProblem(x, y, 100.0)
    every = {one: problem.objective(np.array(one)) for one in itertools.combinations(range(18), 3)}
    assert len(every) == 816
    best = min(every, key=lambda one: every[one])
    found = optimal_support(x, y, 3, gap=1e-6, seconds=60)
    assert tuple(found.units) == best
    assert found.objective == pytest.approx(every[best], rel=1e-6)
    assert found.bound <= every[best] * (1 + 1e-9)
    assert found.gap <= 1e-5


def test_six_planted_units_are_found_and_certified() -> None:
    generator = np.random.default_rng(1)
    y = generator.random(2800) < 0.5
    x = generator.normal(size=(2800, 50))
    planted = generator.permutation(50)[:6]
    x[:, planted] += np.where(y, 0.25, -0.25)[:, None]
    found = optimal_support(_scaled(x), y, 6, seconds=60)
    assert set(found.units) == set(planted)
    assert found.gap <= 1e-3


def test_every_solved_problem_gives_a_cut_below_every_support() -> None:
    x, y = _correlated(p=8)
    problem = HingeProblem(x, y, 100.0)
    generator = np.random.default_rng(3)
    supports = [np.array(one) for one in itertools.combinations(range(8), 2)]
    values = np.array([problem.objective(one) for one in supports])
    for _ in range(6):
        z = generator.dirichlet(np.ones(8)) * 2
        solved = problem.solve(np.minimum(z, 1))
        cuts = np.array([solved.total - 50.0 * solved.squared[one].sum() for one in supports])
        assert (cuts <= values + 1e-9).all()
        assert solved.primal >= solved.total - 50.0 * float(solved.squared @ np.minimum(z, 1)) - 1e-9


def test_the_inner_objective_is_that_of_its_own_definition() -> None:
    from scipy.optimize import minimize

    x, y = _correlated(n=60, p=4)
    sign, cost = np.where(y, 1, -1), np.where(y, 0.5 / y.sum(), 0.5 / (~y).sum())

    def smooth(at: np.ndarray) -> float:
        loss = np.maximum(0, 1 - sign * (x[:, [0, 3]] @ at[:2] + at[2]))
        return float(cost @ loss + at[:2] @ at[:2] / 200)

    starts = np.random.default_rng(0).normal(size=(5, 3)) * 10
    exact = {"maxiter": 20_000, "fatol": 1e-10, "xatol": 1e-8}
    best = min(minimize(smooth, one, method="Nelder-Mead", options=exact).fun for one in starts)
    assert HingeProblem(x, y, 100.0).objective(np.array([0, 3])) == pytest.approx(best, abs=2e-5)


def test_a_start_is_never_lost_and_a_limit_keeps_a_valid_bound() -> None:
    generator = np.random.default_rng(4)
    y = generator.random(150) < 0.5
    x = _scaled(generator.normal(size=(150, 50)) + np.where(y, 0.3, -0.3)[:, None])
    start = np.array([1, 5, 9, 13, 17, 21])
    found = optimal_support(x, y, 6, gamma=1000.0, seconds=0.3, starts=[start])
    assert found.objective <= HingeProblem(x, y, 1000.0).objective(start)
    assert 0 <= found.bound <= found.objective
    assert found.gap > 1e-3  # too short for this one, and it says so
    assert found.seconds < 5


@pytest.mark.parametrize(("k", "seconds"), [(0, 1.0), (19, 1.0), (2, 0.0)])
def test_what_cannot_be_searched_is_one_line(k: int, seconds: float) -> None:
    x, y = _correlated()
    with pytest.raises(UserError, match="units|time"):
        optimal_support(x, y, k, seconds=seconds)


def test_nothing_of_c_code_reaches_standard_output() -> None:
    program = (
        "import ctypes, os\n"
        "from brodmann.analysis.interpretability.probes.optimal_probe import silent_output\n"
        "c = ctypes.CDLL(None)\n"
        "print('before', flush=True)\n"
        "with silent_output():\n"
        "    os.write(1, b'HighsMipSolverData::x\\n'); c.printf(b'buffered by C\\n')\n"
        "print('after', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "before\nafter\n"


def test_standard_output_comes_back_after_a_mistake(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="x"), silent_output():
        raise ValueError("x")
    os.write(1, b"here\n")
    assert capfd.readouterr().out == "here\n"
