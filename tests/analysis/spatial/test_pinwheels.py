"""Preferences among gratings, and pinwheels that were planted."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brodmann.analysis import grating_tuning, pinwheels
from brodmann.analysis.spatial.smoothing import smooth
from brodmann.brain_data.stimuli.gratings import grating, gratings
from brodmann.errors import UserError
from brodmann.models import Sheet, grid_sheet


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


def test_a_map_of_stripes_has_their_period_on_each_axis():
    """An orientation that comes again every 6 mm in x, or every 5 mm in y, on steps of 0.5 and 1."""
    shape = (40, 72)
    y, x = np.mgrid[: shape[0], : shape[1]] * np.array([1.0, 0.5])[:, None, None]
    sheet = Sheet("l", np.stack([x, y], axis=-1).reshape(-1, 2), "mm")
    for place, period in ((x, 6.0), (y, 5.0)):
        found = pinwheels(180 * place.ravel() / period, sheet)
        assert found.spacing == pytest.approx(period, rel=0.01)
        assert (found.count, found.density) == (0, 0)
        assert found.area == pytest.approx(35.5 * 39)
    slanted = pinwheels(180 * (x / 6 + y / 8).ravel(), sheet)
    assert slanted.spacing == pytest.approx(1 / np.hypot(1 / 6, 1 / 8), rel=0.01)
    flat = pinwheels(np.full(x.size, 30.0), sheet)
    assert np.isnan(flat.spacing) or flat.count == 0


def test_smoothing_joins_pinwheels_that_noise_made():
    generator = np.random.default_rng(0)
    sheet = grid_sheet("l", 900, shape=(30, 30))
    theta = sheet.positions @ [9.0, 4.0] + generator.normal(0, 35, 900)
    noisy, smoothed = pinwheels(theta, sheet), pinwheels(theta, sheet, fwhm=4.0)
    assert noisy.count > 60
    assert smoothed.count < noisy.count / 4
    vector = np.exp(2j * np.deg2rad(theta))
    by_hand = smooth(vector.real, sheet, 4.0) + 1j * smooth(vector.imag, sheet, 4.0)
    np.testing.assert_array_equal(smoothed.places, pinwheels(np.rad2deg(np.angle(by_hand)) / 2, sheet).places)
    assert smoothed.spacing != pytest.approx(pinwheels(theta, sheet).spacing, rel=1e-3)
    # smoothing is of the unit vectors of twice the angle: the seam between 0 and 180 is none
    seam = np.where(np.arange(900) % 2, 1.0, 179.0)
    assert pinwheels(seam, sheet, fwhm=3.0).count == 0


def test_a_pinwheel_lies_between_its_four_units_wherever_the_sheet_lies():
    """Four orientations around one square, in the order of x, y: 0, 45, 135, 90 turn counterclockwise."""
    places = np.array([[10.0, -4.0], [12.0, -4.0], [10.0, -1.0], [12.0, -1.0]])
    for order in ([0, 1, 2, 3], [3, 0, 2, 1]):
        sheet = Sheet("l", places[order], "mm")
        found = pinwheels(np.array([0, 45, 135, 90])[order], sheet, spacing=4.0)
        np.testing.assert_allclose(found.places, [[11.0, -2.5]])
        assert (found.sign.tolist(), found.area, found.density) == ([1], 6.0, 16 / 6)
        assert pinwheels(-np.array([0, 45, 135, 90])[order], sheet, spacing=4.0).sign.tolist() == [-1]
    with pytest.raises(UserError, match=r"\(3,\) orientations do not fit 4 positions"):
        pinwheels(np.zeros(3), sheet)
    collided = np.concatenate([places[:3], places[:1]])
    with pytest.raises(UserError, match=r"layer 'l' has 4 units at 2 x and 2 y"):
        pinwheels(np.zeros(4), Sheet("l", collided, "mm"))
    with pytest.raises(UserError, match=r"layer 'l' has 2 units at 2 x and 1 y"):
        pinwheels(np.zeros(2), Sheet("l", places[:2], "mm"))


def test_tuning_by_hand():
    """Mean responses 1, 3, 2 at 0, 60 and 120 degrees: vectors of 2 at 60 and 1 at 120, less the lowest."""
    table = pd.DataFrame({"orientation": [0, 60, 120] * 2, "frequency": [1.0] * 3 + [2.0] * 3})
    responses = np.array([[1.0], [2.0], [3.0], [1.0], [4.0], [1.0]])
    found = grating_tuning(responses, table).iloc[0]
    vector = (2 * np.exp(2j * np.pi / 3) + np.exp(4j * np.pi / 3)) / 3
    assert found["orientation"] == pytest.approx(np.rad2deg(np.angle(vector)) / 2 % 180)
    assert found["circular_variance"] == pytest.approx(1 - abs(vector))
    assert found["frequency"] in (1.0, 2.0)
    assert found["peak"] == 2
    assert grating_tuning(np.hstack([responses, 3 * responses]), table)["peak"].tolist() == [2, 6]
    assert "colour" not in found
    shifted = grating_tuning(responses - 7, table).iloc[0]
    assert shifted["orientation"] == pytest.approx(found["orientation"])
    with pytest.raises(UserError, match=r"responses \(6,\) do not fit 6 gratings"):
        grating_tuning(responses[:, 0], table)
    with pytest.raises(UserError, match="no column 'orientation'"):
        grating_tuning(responses, table[["frequency"]])
