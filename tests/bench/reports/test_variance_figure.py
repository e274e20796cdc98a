"""The figure of a variance partition shows the numbers it was given."""

from dataclasses import dataclass

import numpy as np
import pytest

from brodmann.bench.reports.variance_figure import variance_partition_figure


@dataclass
class Partition:
    names: tuple
    unique: np.ndarray
    shapley: np.ndarray
    shared: np.ndarray
    full: np.ndarray
    n_stimuli: int


@pytest.fixture
def partition():
    rng = np.random.default_rng(0)
    unique = np.array([[0.2], [0.05]]) + 0.01 * rng.normal(size=(2, 50))
    shared = 0.1 + 0.01 * rng.normal(size=50)
    return Partition(
        ("layer4", "word length"), unique, unique + shared / 2, shared, unique.sum(axis=0) + shared, 300
    )


def test_nothing_leaves_the_page(partition):
    figure = variance_partition_figure(partition, title="pereira2018.243sentences, language network, left")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    for text in (axes.title, figure._suptitle, axes.xaxis.label, *axes.get_yticklabels()):
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width


def test_bars_are_the_means_and_shapley_adds_up(partition):
    figure = variance_partition_figure(partition, title="tuckute2024.netw")
    axes = figure.axes[0]
    widths = {
        bars.get_label(): [bar.get_width() for bar in bars]
        for bars in axes.containers
        if bars.get_label()[0] != "_"
    }
    np.testing.assert_allclose(widths["unique"], partition.unique.mean(axis=1))
    assert sum(widths["Shapley share"]) == pytest.approx(widths["all spaces"][0])
    assert "R$^2$" in axes.get_xlabel()
    assert "n = 50 neuroids, 300 stimuli" in figure.get_suptitle()
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "layer4",
        "word length",
        "shared",
        "all",
    ]
