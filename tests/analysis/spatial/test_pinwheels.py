"""Preferences among gratings, and pinwheels that were planted."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brodmann.analysis import grating_tuning, pinwheels
from brodmann.brain_data.stimuli.gratings import grating, gratings
from brodmann.errors import UserError
from brodmann.models import grid_sheet


@pytest.fixture
def table():
    rows = [(a, f, c) for a in range(0, 180, 15) for f in (2.0, 4.0, 8.0) for c in ("grey", "red")]
    return pd.DataFrame(rows, columns=["orientation", "frequency", "colour"])


def test_planted_preferences_are_found(table):
    generator = np.random.default_rng(0)
    angle, width = generator.uniform(0, 180, 200), generator.uniform(0.3, 4, 200)
    frequency, color = generator.choice([2.0, 4.0, 8.0], 200), generator.choice(["grey", "red"], 200)
    turned = 2 * np.deg2rad(table["orientation"].to_numpy()[:, None] - angle)
    responses = np.exp(width * (np.cos(turned) - 1))
    responses = responses * np.where(table["frequency"].to_numpy()[:, None] == frequency, 1.0, 0.5)
    responses = responses * np.where(table["colour"].to_numpy()[:, None] == color, 1.0, 0.8)
    found = grating_tuning(responses, table)
    off = np.abs(np.mod(found["orientation"] - angle + 90, 180) - 90)
    assert off.max() < 0.5
    assert (found["frequency"] == frequency).all()
    assert (found["colour"] == color).all()
    assert np.corrcoef(found["circular_variance"], width)[0, 1] < -0.8


def test_the_circular_variance_of_known_curves(table):
    angles = table["orientation"].to_numpy()
    found = grating_tuning(np.stack([(angles == 30).astype(float), np.ones(len(angles))], axis=1), table)
    assert found["circular_variance"][0] == pytest.approx(0, abs=1e-12)
    for unit in (1e-13, 1e13):
        scaled = unit * np.stack([(angles == 30).astype(float), np.ones(len(angles))], axis=1)
        np.testing.assert_allclose(grating_tuning(scaled, table)["circular_variance"], [0, 1], atol=1e-12)
    assert found["orientation"][0] == pytest.approx(30)
    assert found["circular_variance"][1] == 1  # answers all alike: no preference


def test_planted_pinwheels_are_counted_with_their_sign():
    """theta = (sum of s_k arg(z - z_k)) / 2 turns by 180 s_k degrees around every centre z_k."""
    sheet = grid_sheet("l", 900, shape=(30, 30), unit="mm").scaled(0.5)
    centers, sign = np.array([[3.1, 3.2], [10.3, 4.1], [5.2, 11.3], [12.1, 12.4]]), np.array([1, -1, -1, 1])
    z = sheet.positions @ [1, 1j]
    theta = sum(s * np.angle(z - complex(*c)) for s, c in zip(sign, centers, strict=True)) / 2
    found = pinwheels(np.rad2deg(theta), sheet, spacing=7.0)
    assert found.count == 4
    apart = np.linalg.norm(found.places[:, None] - centers, axis=2)
    assert apart.min(axis=1).max() < 0.5
    assert (found.sign == sign[apart.argmin(axis=1)]).all()
    assert found.density == pytest.approx(4 * 49 / 14.5**2)


def test_random_maps_of_one_period_have_pi_pinwheels_a_hypercolumn():
    """Superposed waves of one frequency and random direction: a Gaussian field whose density is pi."""
    sheet = grid_sheet("l", 120 * 120, shape=(120, 120))
    density, spacing = [], []
    for seed in range(10):
        generator = np.random.default_rng(seed)
        direction, phase = generator.uniform(0, 2 * np.pi, (2, 2, 60))
        waves = [
            np.cos(
                2 * np.pi / 12 * (sheet.positions @ [np.cos(direction[i]), np.sin(direction[i])]) + phase[i]
            ).sum(axis=1)
            for i in (0, 1)
        ]
        found = pinwheels(np.rad2deg(np.arctan2(*waves)) / 2, sheet)
        density.append(pinwheels(np.rad2deg(np.arctan2(*waves)) / 2, sheet, spacing=12.0).density)
        spacing.append(found.spacing)
    assert np.mean(density) == pytest.approx(np.pi, rel=0.1)
    assert np.mean(spacing) == pytest.approx(12, rel=0.2)
    print(
        f"pinwheel density {np.mean(density):.2f} (theory {np.pi:.2f}), spacing {np.mean(spacing):.2f} (true 12)"
    )


def test_gratings_have_the_orientation_and_frequency_that_they_say(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path))
    stimuli = gratings(64)
    assert set(stimuli["frequency"]) == {4.0, 8.0, 16.0}
    row = stimuli[
        (stimuli["orientation"] == 45) & (stimuli["frequency"] == 8) & (stimuli["colour"] == "black/white")
    ].iloc[0]
    with Image.open(stimuli.stimulus_paths[row["stimulus_id"]]) as image:
        pixels = np.asarray(image.convert("L"), float)
    power = np.abs(np.fft.fft2(pixels - pixels.mean()))
    y, x = np.unravel_index(power[:, :32].argmax(), (64, 32))
    y = y - 64 if y > 32 else y
    assert np.hypot(x, y) == pytest.approx(8, abs=1)
    flat = grating(64, 0.0, 8, 0.0)  # bars along the rows
    assert np.ptp(flat[..., 0], axis=1).max() == 0
    rising = grating(64, 30.0, 4, 0.0)[..., 0].astype(float)  # counterclockwise: bars rise to the right
    shift = round(12 * np.tan(np.deg2rad(30)))
    assert np.abs(rising[30, 20] - rising[30 - shift, 32]) < 20
    big = gratings(224)
    assert len(big) == 8 * 4 * 5 * 2


@pytest.mark.parametrize(
    ("responses", "columns", "message"),
    [
        (np.ones((4, 3)), {"orientation": range(4)}, "no column 'frequency'"),
        (np.ones((4, 3)), {"orientation": [0, 90, 0, 90], "frequency": 1}, "2 orientations are too few"),
        (np.ones((5, 3)), {"orientation": range(4), "frequency": 1}, r"\(5, 3\) do not fit 4 gratings"),
    ],
)
def test_mistakes(responses, columns, message):
    with pytest.raises(UserError, match=message):
        grating_tuning(responses, pd.DataFrame(columns))


def test_pinwheels_need_a_grid():
    with pytest.raises(UserError, match="pinwheels need a full grid"):
        pinwheels(np.zeros(8), type(grid_sheet("l", 9))("l", grid_sheet("l", 9).positions[:8]))
