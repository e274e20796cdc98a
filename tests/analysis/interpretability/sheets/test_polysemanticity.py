"""How many things features stand for: known mixtures, and networks that differ beside a covariate."""

import numpy as np
import pytest

from brodmann.analysis.interpretability.sheets.polysemanticity import (
    beside_covariate,
    effective_classes,
)


def test_effective_classes_of_what_answers_one_two_and_all():
    labels = np.repeat([0, 1, 2, 3], [100, 10, 40, 50])
    one, two, everyone = labels == 1, np.isin(labels, [0, 3]), np.ones(200)
    silent = np.zeros(200)
    found = effective_classes(np.stack([one, two, everyone, silent, -everyone], axis=1).astype(float), labels)
    np.testing.assert_allclose(found[:3], [1, 2, 4])
    assert np.isnan(found[3:]).all()


def test_networks_differ_at_the_same_covariate():
    generator = np.random.default_rng(0)
    x = [generator.normal(2, 1, 500), generator.normal(0, 1, 400)]
    y = [0.5 * one + offset for one, offset in zip(x, (0.3, 0.0), strict=True)]
    assert beside_covariate(y[0], y[1], x[0], x[1]) == pytest.approx(0.3)
    assert y[0].mean() - y[1].mean() > 1
