import numpy as np

from brodmann.analysis.interpretability.probes.probe import Examples, probe
from brodmann.analysis.interpretability.probes.scores import scores
from brodmann.analysis.interpretability.probes.sparse_probe import Point
from brodmann.analysis.interpretability.probes.superposition import fingerprint, needed


def _point(units: list[int], auroc: float) -> Point:
    n = 100
    above = round(n * 2 * (1 - auroc))
    odds = np.concatenate([np.full(n, 1.0), np.full(above, 1.0), np.full(n - above, -1.0)])
    return Point(np.array(units), np.ones(len(units)), 0.0, scores(odds, np.arange(2 * n) < n))


def test_the_units_needed_are_the_fewest_that_get_most_of_the_way() -> None:
    curve = [_point([1], 0.6), _point([1, 2], 0.8), _point([1, 2, 3, 4], 0.88), _point(list(range(10)), 0.9)]
    assert [round(one.scores.auroc, 2) for one in curve] == [0.6, 0.8, 0.88, 0.9]
    assert needed(curve).k == 4  # .5 + .9 x .4 = .86
    assert needed(curve, share=0.5).k == 2
    assert needed(curve).gap == curve[-1].scores.f1 - curve[0].scores.f1


def test_properties_that_have_units_of_their_own_share_none_and_superposed_ones_do() -> None:
    generator = np.random.default_rng(0)
    n, n_properties = 1500, 12
    codes = (generator.random((n, n_properties)) < 0.5).astype(float)
    documents = np.arange(n) // 15

    def print_of(rows: np.ndarray) -> tuple[float, float]:
        noisy = rows + generator.normal(0, 0.3, rows.shape)
        curves = {
            str(i): probe(
                Examples(noisy, codes[:, i] > 0, documents), controls=False, most=4, n_draws=10
            ).adaptive
            for i in range(n_properties)
        }
        found = fingerprint(curves, rows.shape[1], top=1)
        return found.median_k, found.shared

    own_k, own_shared = print_of(np.column_stack([codes, generator.normal(size=(n, 12))]))
    mixed = generator.normal(size=(n_properties, 6))
    mixed_k, mixed_shared = print_of(codes @ mixed)
    assert (own_k, own_shared) == (1, 0)
    assert mixed_k >= 4
    assert mixed_shared > 0.7


def test_random_units_are_shared_as_chance_says() -> None:
    p = []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        curves = {
            str(i): [_point(generator.permutation(64)[:4].tolist(), 0.8), _point(list(range(64)), 0.8)]
            for i in range(10)
        }
        found = fingerprint(curves, 64, random_state=seed, n_draws=99)
        p.append(found.p)
        assert found.serves.sum() == 40
    assert 0.35 < np.mean(p) < 0.7
    assert np.mean(np.array(p) <= 0.05) <= 0.12


def test_no_property_gives_an_empty_fingerprint() -> None:
    found = fingerprint({}, 8)
    assert found.n_properties == 0
    assert found.serves.tolist() == [0] * 8
