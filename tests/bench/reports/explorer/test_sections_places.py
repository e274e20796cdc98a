"""Planted places: centres of features, also across a torus's edge, neighbours of a smooth sheet, columns of views."""

import numpy as np
import pandas as pd
import pytest
from planted_layers import dictionary, inside_of, rows_of, windows

from brodmann.analysis.interpretability.views.base import VIEWS, View
from brodmann.analysis.spatial.spatial_weights import SpatialWeights
from brodmann.bench.reports.explorer.looked import Asked, Looked
from brodmann.bench.reports.explorer.sections.neighbours import neighbours
from brodmann.bench.reports.explorer.sections.place import place
from brodmann.bench.reports.explorer.sections.views import views
from brodmann.models import load_model

SIDE = 12
CENTRES = [(3.0, 4.0), (0.0, 0.0), (11.5, 6.0), (5.0, 11.5)]


def around(a, b):
    apart = np.abs(np.asarray(a) - np.asarray(b))
    return np.hypot(*np.minimum(apart, SIDE - apart).T)


def blob(centre):
    y, x = np.divmod(np.arange(SIDE**2), SIDE)
    return np.exp(-(around(np.stack([x, y], axis=1), centre) ** 2) / 2)


@pytest.fixture(scope="module")
def smooth():
    """Answers that are smooth on the sheet, features that are blobs, one of them silent."""
    rng = np.random.default_rng(1)
    part = windows(rng, np.arange(100, 160))
    noise = rng.normal(size=(part.n_tokens, SIDE, SIDE))
    kernel = np.fft.fft2(blob((0, 0)).reshape(SIDE, SIDE))
    values = np.real(np.fft.ifft2(np.fft.fft2(noise) * kernel)).reshape(len(noise), -1)
    blobs = np.stack([blob(one) for one in CENTRES])
    encoder = np.concatenate([blobs, 1e-9 * blobs[:1]])
    decoder = np.concatenate([blobs, blobs[:1]])
    model = load_model("twin-language-topographic")
    return Looked(
        "s0", "s0", inside_of(model, part, rows_of(part, values), dictionary(encoder, decoder), (SIDE, SIDE))
    )


def test_a_feature_lies_at_the_centre_of_its_blob_also_across_the_edge(smooth):
    entries = place(smooth, Asked()).entries["feature"]
    for centre, entry in zip(CENTRES, entries, strict=False):
        assert around((entry["x"], entry["y"]), centre) < 0.02
        assert entry["spread"] == pytest.approx(
            1.0, abs=0.05
        )  # the mass is the blob squared: sd 1 / sqrt 2 on each axis
        nearest = entry["mass"][0][0]
        assert around((nearest % SIDE, nearest // SIDE), centre) <= np.sqrt(0.5)
        assert entry["effective_units"] == pytest.approx(2 * np.pi, rel=0.05)
        assert entry["morans_i"] > 0.4  # of blobs hardly wider than a unit
        assert entry["units"] == "cell"
        shares = [share for _, share in entry["mass"]]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) >= 0.9


def test_the_columns_x_and_y_are_those_places(smooth):
    columns = {of: {one.name: one for one in some} for of, some in views(smooth, Asked()).columns.items()}
    where = np.stack([columns["feature"][axis].values for axis in "xy"], axis=1)
    assert (around(where[:4], CENTRES) < 0.02).all()
    assert columns["unit"]["x"].values == [i % SIDE for i in range(SIDE**2)]
    assert columns["feature"]["x"].group == columns["feature"]["mass.spread"].group == "place"
    assert columns["feature"]["mass.spread"].unit == "cell"


def test_a_unit_is_used_by_the_active_features_that_write_into_it(smooth):
    used = place(smooth, Asked()).entries["unit"]
    for i, (x, y) in enumerate(CENTRES[:2]):
        assert used[int(y) * SIDE + int(x)]["used_by"][0][0] == i
    assert all(one[0] != 4 for entry in used if entry for one in entry["used_by"])  # 4 never is active


def test_features_of_the_sheet_cluster_and_those_of_a_permuted_one_do_not(smooth):
    controls = {one["kind"]: one for one in place(smooth, Asked()).controls}
    own, permuted = controls["features, mean"], controls["features on permuted sheets, mean"]
    assert own["morans_i"] > 0.4
    assert abs(permuted["morans_i"]) < 0.05
    assert permuted["p"] <= 0.01
    assert controls["isotropic, mean"]["morans_i"] < 0.1


def test_neighbours_of_a_smooth_sheet_answer_alike_more_than_those_of_a_permuted_one(smooth):
    section = neighbours(smooth, Asked())
    control, own = [one for one in section.controls if one["of"] == "unit"]
    entries = section.entries["unit"]
    assert own["shared"] == pytest.approx(np.mean([one["shared"] for one in entries]))
    assert own["shared"] > 0.8
    assert control["shared"] == pytest.approx(8 / 143, abs=0.01)
    assert control["p"] <= 0.01


def test_neighbours_on_the_sheet_are_the_eight_around_a_unit_and_their_r_is_pearsons(smooth):
    entries = neighbours(smooth, Asked()).entries["unit"]
    touching = SpatialWeights.from_positions(smooth.inside.sheet, "queen").matrix
    r = np.corrcoef(smooth.units.T)
    for i, entry in enumerate(entries):
        assert {one[0] for one in entry["sheet"]} == set(touching[[i]].nonzero()[1].tolist())
        for other, distance, value in entry["sheet"]:
            assert distance == pytest.approx(smooth.inside.sheet.distances_from(i)[other])
            assert value == pytest.approx(r[i, other], abs=1e-4)
        others = np.delete(np.arange(SIDE**2), i)
        best = np.sort(r[i, others])[::-1][:8]
        np.testing.assert_allclose([one[1] for one in entry["functional"]], best, atol=1e-4)
        assert all(one[0] != i for one in entry["functional"])


def test_r_of_features_and_of_their_units_is_pearsons(smooth):
    entries = neighbours(smooth, Asked()).entries["feature"]
    dense = smooth.columns("feature", range(5))
    r = np.corrcoef(dense[:, :4].T)
    for i, entry in enumerate(entries[:4]):
        assert all(value == pytest.approx(r[i, other], abs=1e-5) for other, value, _ in entry["functional"])
        assert {one[0] for one in entry["sheet"]} == set(range(4)) - {i}
        away = [one[1] for one in entry["sheet"]]
        assert away == sorted(away)
        assert away == pytest.approx(sorted(around(np.delete(CENTRES, i, axis=0), CENTRES[i])), abs=0.05)
        of_units = [np.corrcoef(dense[:, i], unit)[0, 1] for unit in smooth.units.T]
        np.testing.assert_allclose([one[1] for one in entry["units"]], np.sort(of_units)[::-1][:5], atol=1e-4)
    assert entries[4] is None


def test_a_view_of_a_package_is_on_the_page_with_its_controls(smooth):
    n = smooth.inside.n_units

    def table(inside):
        made = pd.DataFrame(
            {
                "a score": np.linspace(-1, 1, n),
                "kind": pd.Categorical.from_codes(np.arange(n) % 3 - 1, ["face", "house"]),
                "word": [f"w{i}" for i in range(n)],
                "good": np.arange(n) % 2 == 0,
            }
        )
        made.attrs["controls"] = [{"kind": "chance", "a score": 0.1}, {"kind": "halves", "r": 0.9, "n": 4}]
        return made

    VIEWS.register("theirs", View("theirs", "unit", "what they say", table), "their.package")
    try:
        section = views(Looked("s0", "s0", smooth.inside), Asked())
    finally:
        del VIEWS._things["theirs"], VIEWS._origins["theirs"]
    made = {one.name: one for one in section.columns["unit"] if one.group == "theirs"}
    assert list(made) == ["theirs.a.score", "theirs.kind", "theirs.word", "theirs.good"]
    score, kind, word, good = made.values()
    assert (score.kind, score.diverging, score.sentence) == ("number", True, "what they say")
    assert score.beside == [{"kind": "chance", "value": 0.1}, {"kind": "halves: r", "value": 0.9}]
    assert (kind.kind, list(kind.categories), list(kind.values[:4])) == (
        "category",
        ["face", "house"],
        [-1, 0, 1, -1],
    )
    assert (word.kind, word.values[3]) == ("text", "w3")
    assert (good.kind, list(good.categories), list(good.values[:2])) == ("category", ["no", "yes"], [1, 0])
    assert {"kind": "theirs: chance", "a score": 0.1} in section.controls


def test_what_is_not_possible_is_said_and_all_else_is_there(smooth):
    inside = smooth.inside
    bare = inside_of(inside.model, inside.part, inside.read, inside.dictionary)
    section = views(Looked("s0", "s0", bare), Asked())
    assert any("has no sheet" in one for one in section.left_out)
    names = {one.name for one in section.columns["unit"]}
    assert "activity.mean" in names
    assert "x" not in names
    assert "sheet" not in neighbours(Looked("s0", "s0", bare), Asked()).entries["unit"][0]
    assert place(Looked("s0", "s0", bare), Asked()).entries["feature"][0]["x"] is None
