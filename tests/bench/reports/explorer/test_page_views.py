"""The views of a layer in a browser, from a folder: what is drawn, chosen, said aloud, and held against its control."""

import dataclasses
import itertools
import json

import made_up
import numpy as np
import pytest
from chromium import Chromium

from brodmann.bench.reports.explorer.content import Column, Page
from brodmann.bench.reports.explorer.page import write_page

pytestmark = pytest.mark.skipif(not Chromium.is_here(), reason="no chromium")

SIDE, N_FEATURES, ABSENT = 16, 128, 200
BLOCK = [SIDE * row + column for row in range(3, 7) for column in range(4, 8)]
SHIFT = 8
COPY = (
    "(c => { const k = Object.assign(document.createElement('canvas'), { width: c.width, height: c.height })"
    ".getContext('2d', { willReadFrequently: true }); k.drawImage(c, 0, 0); return k; })"
)


def planted(scale):
    values = np.random.default_rng(7).normal(0, 0.3, SIDE * SIDE)
    values[BLOCK] += 5
    values = (scale * values).round(3).tolist()
    values[ABSENT] = None
    return values


def made():
    page = made_up.page(SIDE * SIDE, N_FEATURES, vision=True)
    for one, scale in zip(page.sites[:2], (1, 2), strict=True):
        column = Column("planted", "planted", planted(scale), "probes", unit="nats", sentence="a block that is larger",
                        beside=[{"kind": "shuffled", "value": 0.12}])  # fmt: skip
        one.sections[0].columns["unit"].insert(0, column)
        beyond = Column(
            "effect.beyond", "loss beyond another's", np.linspace(-0.02, 0.06, N_FEATURES).round(4), "effects"
        )
        one.sections[0].columns["feature"].append(beyond)
    lens = next(one.whole for one in page.sites[0].sections if one.name == "lens")
    long = [f" word{i}" for i in range(40)]
    lens["texts"].append({"tokens": long, "grid": [(row * 8)[:40] for row in lens["texts"][0]["grid"]]})
    flat = dataclasses.replace(made_up.site("flat", "without a sheet", 4, 30, 40), sheet=None)
    return Page(page.title, [*page.sites, flat], page.materials, page.made, page.notes)


class Browsed:
    """A page in a browser, and what it was made from."""

    def __init__(self, browser, url, page):
        self.browser, self.url = browser, url
        self.sites = {one.key: one.index() for one in page.sites}
        self.whole = {(site.key, one.name): one.whole for site in page.sites for one in site.sections}

    def go(self, address, width=1280, height=900, *, dark=False, phone=False):
        self.browser.dark(dark)
        self.browser.size(width, height, phone=phone)
        self.browser.open("about:blank")
        self.browser.open(f"{self.url}#/{address}")
        self.browser.wait("document.body.dataset.ready")

    def run(self, expression):
        return self.browser.run(expression)

    def values(self, site, of, name):
        return next(one["values"] for one in self.sites[site]["columns"][of] if one["name"] == name)

    def at(self, unit, side=0):
        """Where a unit is in the window."""
        return self.run(
            f"(b => (([x, y], r) => [x + r.left, y + r.top])(b.board.at({unit}), b.querySelector('.top')"
            f".getBoundingClientRect()))(document.querySelectorAll('.board')[{side}])"
        )

    def mouse(self, kind, x, y):
        buttons = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
        self.browser.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **buttons)

    def lasso(self, corners):
        for i, (x, y) in enumerate([*corners, corners[0]]):
            self.mouse("mouseMoved" if i else "mousePressed", x, y)
        self.mouse("mouseReleased", *corners[0])

    def key(self, name, modifiers=0):
        for kind in ("keyDown", "keyUp"):
            self.browser.ask("Input.dispatchKeyEvent", type=kind, key=name, code=name, modifiers=modifiers)

    def selected(self):
        found = self.run("B.state.selected")
        return [int(one) for one in found.split(",")] if found else []

    def pixels(self, side=0, shift=0):
        """The color in the middle of every unit, as #rrggbb."""
        return self.run(
            f"(e => {{ const c = e.querySelector('.base'), on = {COPY}(c), ratio = c.width / c.clientWidth;"
            "return Array.from({length: e.board.place.n}, (_, i) => { const [x, y] = e.board.at(i);"
            "const d = on.getImageData(Math.round(x * ratio), Math.round(y * ratio), 1, 1).data;"
            "return '#' + [0, 1, 2].map(k => d[k].toString(16).padStart(2, '0')).join(''); }); })"
            f"(document.querySelectorAll('.board')[{side}])"
        )


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    page = made()
    written = write_page(page, tmp_path_factory.mktemp("page") / "views")
    with Chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield Browsed(browser, written.path.as_uri(), page)


@pytest.fixture(autouse=True)
def nothing_went_wrong(seen):
    seen.browser.events.clear()
    yield
    assert seen.run("document.getElementById('errors').textContent") == ""
    assert seen.browser.complaints() == []
    assert seen.run("document.title") != "run"


def corners_of(seen, units, side=0):
    x0, y0 = seen.at(units[0], side)
    x1, y1 = seen.at(units[-1], side)
    reach = 0.45 * (x1 - x0) / 3
    return [
        (x0 - reach, y0 - reach),
        (x1 + reach, y0 - reach),
        (x1 + reach, y1 + reach),
        (x0 - reach, y1 + reach),
    ]


def elsewhere(values, chosen):
    """Means of the same shape at every other place of a sheet that goes on at its other edge."""
    grid = np.array([np.nan if one is None else one for one in values], float).reshape(SIDE, SIDE)
    rows, columns = np.divmod(chosen, SIDE)
    shifts = [(a, b) for a in range(SIDE) for b in range(SIDE) if a or b]
    return np.array([np.nanmean(grid[(rows + a) % SIDE, (columns + b) % SIDE]) for a, b in shifts])


def test_a_lasso_takes_exactly_the_units_within_it(seen):
    seen.go("s0/sheet?colour=planted")
    seen.lasso(corners_of(seen, BLOCK))
    assert seen.selected() == BLOCK
    rows = seen.run(
        "[...document.querySelectorAll('table.selected tbody tr')].map(r => r.cells[0].textContent)"
    )
    assert rows == [f"unit {i}" for i in BLOCK]
    links = seen.run("[...document.querySelectorAll('table.selected a')].map(a => a.hash)")
    assert all(f"/s0/unit/{i}" in link for i, link in zip(BLOCK, links, strict=True))


@pytest.mark.parametrize("column", ["planted", "t.face"])
def test_a_selection_is_held_against_its_shape_at_every_other_place(seen, column):
    seen.go(f"s0/sheet?colour={column}&selected={','.join(map(str, BLOCK))}")
    found = json.loads(seen.run("document.querySelector('table.means').parentNode.dataset.control"))
    values = [one if one is None else float(one) for one in seen.values("s0", "unit", column)]
    means = elsewhere(values, np.array(BLOCK))
    own = np.mean([values[i] for i in BLOCK])
    assert found["places"]["n"] == len(means) == SIDE**2 - 1
    assert found["mean"] == pytest.approx(own, rel=1e-3)
    assert found["all"] == pytest.approx(np.mean([one for one in values if one is not None]), rel=1e-3)
    assert found["places"]["mean"] == pytest.approx(means.mean(), rel=1e-3, abs=1e-5)
    assert found["places"]["larger"] == pytest.approx(np.mean(means >= own), abs=1e-9)
    assert (found["places"]["larger"] == 0) == (column == "planted")
    assert (found["draws"]["larger"] == 0) == (column == "planted")
    assert found["draws"]["mean"] == pytest.approx(found["all"], abs=4 * np.std(means) / np.sqrt(999) + 0.05)


def test_of_categories_the_commonest_is_compared_with_the_commonest_elsewhere(seen):
    seen.go(f"s0/sheet?colour=preferred&selected={','.join(map(str, BLOCK))}")
    found = json.loads(seen.run("document.querySelector('table.means').parentNode.dataset.control"))
    grid = np.array(seen.values("s0", "unit", "preferred"))
    rows, columns = np.divmod(BLOCK, SIDE)

    def purity(a, b):
        some = grid[(rows + a) % SIDE * SIDE + (columns + b) % SIDE]
        return np.bincount(some[some >= 0]).max() / (some >= 0).sum()

    known = [purity(a, b) for a, b in itertools.product(range(SIDE), repeat=2)]
    assert found["mean"] == pytest.approx(known[0])
    assert found["places"]["larger"] == pytest.approx(np.mean(np.array(known[1:]) >= known[0] - 1e-12))


def test_arrows_move_one_cursor_that_is_said_aloud_and_shift_takes_a_rectangle(seen):
    seen.go("s0/sheet?colour=planted")
    seen.browser.tab_to("e.tagName === 'CANVAS'")
    seen.key("ArrowRight")
    seen.key("ArrowDown")
    said = seen.run("document.querySelector('.live').textContent")
    value = seen.values("s0", "unit", "planted")[SIDE + 1]
    assert said.startswith(f"unit {SIDE + 1}")
    assert f"planted: {value:.3g} nats" in said
    assert "fires on" in said
    seen.key("ArrowDown", SHIFT)
    seen.key("ArrowRight", SHIFT)
    assert seen.selected() == [SIDE + 1, SIDE + 2, 2 * SIDE + 1, 2 * SIDE + 2]
    assert seen.run("document.querySelector('.live').textContent") == "4 units selected"
    for _ in range(3):
        seen.browser.ask(
            "Input.dispatchKeyEvent",
            type="keyDown",
            key="ArrowDown",
            code="ArrowDown",
            modifiers=SHIFT,
            autoRepeat=True,
        )
    seen.key("ArrowUp", SHIFT)
    assert len(seen.selected()) == 2 * 4
    assert seen.run("new URLSearchParams(location.hash.split('?')[1]).get('selected')").count(",") == 7
    seen.key("ArrowUp")
    seen.key("ArrowUp")
    seen.key("Escape")
    assert seen.selected() == []
    seen.browser.press("Enter")
    seen.browser.wait(f"document.body.dataset.ready === 'unit/s0/{2 * SIDE + 2}'")


def test_a_card_at_the_pointer_stands_at_the_same_unit_of_both_sites(seen):
    seen.go("s0/sheet?beside=s1&colour=planted")
    seen.mouse("mouseMoved", *seen.at(37))
    cards = seen.run(
        "[...document.querySelectorAll('.board .card')].map(c => c.hidden ? null : c.textContent)"
    )
    for card, site in zip(cards, ("s0", "s1"), strict=True):
        assert card.startswith("unit 37")
        assert f"{seen.values(site, 'unit', 'planted')[37]:.3g}" in card
    seen.mouse("mouseMoved", 5, 5)
    assert seen.run("[...document.querySelectorAll('.board .card')].every(c => c.hidden)")


def test_two_sites_share_one_scale_one_selection_and_may_have_limits_of_their_own(seen):
    seen.go("s0/sheet?beside=s1&colour=planted")
    ramp = seen.run("B.colors.sequential(false)")

    def together():
        pairs = []
        for side, site in enumerate(("s0", "s1")):
            known = seen.values(site, "unit", "planted")
            pairs += [
                (v, ramp.index(c)) for v, c in zip(known, seen.pixels(side), strict=True) if v is not None
            ]
        return [step for _, step in sorted(pairs)]

    steps = together()
    assert min(steps) == 0
    assert max(steps) == len(ramp) - 1
    assert all(a <= b for a, b in itertools.pairwise(steps))
    seen.run("document.getElementById('own').click()")
    own = together()
    assert any(a > b for a, b in itertools.pairwise(own))
    assert seen.run("document.querySelectorAll('.legend').length") == 2
    seen.lasso(corners_of(seen, BLOCK, side=1))
    assert seen.selected() == BLOCK
    heads = seen.run("[...document.querySelectorAll('.chosen h3')].map(h => h.textContent)")
    assert heads == ["16 units selected"] * 2


def test_sites_of_other_sizes_are_joined_by_place(seen):
    seen.go("s0/sheet?beside=s1&of=feature&selected=3,9")
    places = [
        np.stack([np.array(seen.values(key, "feature", name), float) for name in "xy"], axis=1)
        for key in ("s0", "s1")
    ]
    part = (places[1] - 0) / (SIDE - 1) * (SIDE - 1)
    nearest = ((part[:, None] - places[0][None]) ** 2).sum(axis=2).argmin(axis=1)
    wanted = np.flatnonzero(np.isin(nearest, [3, 9])).tolist()
    links = seen.run(
        "[...document.querySelectorAll('.side')[1].querySelectorAll('table.selected a')].map(a => a.textContent)"
    )
    assert links == [f"feature {i}" for i in wanted]
    assert "same place" in seen.run("document.querySelector('.remarks').textContent")


@pytest.mark.parametrize("column", ["t.face", "r.IFG"])
def test_numbers_around_zero_have_zero_in_the_middle_of_their_colors(seen, column):
    seen.go(f"s0/sheet?colour={column}")
    ramp = seen.run("B.colors.diverging(false)")
    values, at = (
        np.array(seen.values("s0", "unit", column)),
        np.array([ramp.index(one) for one in seen.pixels()]),
    )
    assert ((at > 127.5) == (values > 0))[np.abs(values) > 0.01 * np.abs(values).max()].all()
    ends = seen.run("[...document.querySelectorAll('.legend .ends span')].map(s => s.textContent)")
    assert ends[1] == "0"
    assert ends[0].replace("≤ -", "") == ends[2].replace("≥ ", "") or ends[0][1:] == ends[2]


def test_what_is_absent_is_hatched_and_said(seen):
    seen.go("s0/sheet?colour=planted")
    legend = seen.run("document.querySelector('.legend').textContent")
    assert "hatched or hollow: no value, 1" in legend
    assert "planted (nats): a block that is larger" in legend
    assert "Beside it: shuffled 0.12." in legend
    x, y = seen.run(f"document.querySelector('.board').board.at({ABSENT})")
    count = seen.run(
        f"(c => {{ const d = {COPY}(c).getImageData({x} - 8, {y} - 8, 16, 16).data, found = new Set();"
        "for (let i = 0; i < d.length; i += 4) found.add(d.slice(i, i + 4).join()); return found.size; })"
        "(document.querySelector('.board .base'))"
    )
    assert count > 1


def test_the_table_says_what_the_canvas_shows(seen):
    seen.go("s0/sheet?colour=planted&selected=5")
    assert seen.run("document.querySelectorAll('table.stand-in').length") == 0
    seen.run("document.querySelector('details.later summary').click()")
    seen.browser.wait("document.querySelectorAll('table.stand-in tbody tr').length === 200")
    seen.run("[...document.querySelectorAll('details.later button')].at(-1).click()")
    rows = seen.run(
        "[...document.querySelectorAll('table.stand-in tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
    )
    values = seen.values("s0", "unit", "planted")
    assert len(rows) == SIDE**2
    ramp, order = seen.run("B.colors.sequential(false)"), []
    for i, ((name, x, y, value, chosen), color) in enumerate(zip(rows, seen.pixels(), strict=True)):
        assert (name, int(x), int(y), chosen) == (f"unit {i}", i % SIDE, i // SIDE, "yes" if i == 5 else "")
        if values[i] is None:
            assert value == "no value"
            continue
        assert float(value.removesuffix(" nats")) == pytest.approx(values[i], rel=0.006, abs=1e-4)
        order.append((values[i], ramp.index(color)))
    assert [step for _, step in sorted(order)] == sorted(step for _, step in order)


# Machado, Oliveira and Fernandes 2009, full strength, of linear light
SIGHT = {
    "all": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "no blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def as_seen(colors, sight):
    """CIE Lab of colors, (n, 3), as they look to such eyes."""
    coded = np.array([[int(one[i : i + 2], 16) / 255 for i in (1, 3, 5)] for one in colors])
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ SIGHT[sight].T, 0, 1) @ TO_XYZ.T / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("sight", SIGHT)
def test_scales_are_read_with_any_eyes_on_dark_and_on_light_paper(seen, sight):
    if seen.run("document.body === null || !document.body.dataset.ready"):
        seen.go("s0/about")
    for dark, up in (("false", -1), ("true", 1)):
        ramp = as_seen(seen.run(f"B.colors.sequential({dark})"), sight)[:, 0]
        assert (up * np.diff(ramp[::8]) > 0).all()
        assert abs(ramp[-1] - ramp[0]) > 55
        both = as_seen(seen.run(f"B.colors.diverging({dark})"), sight)
        middle = len(both) // 2
        assert (up * np.diff(both[middle::16, 0]) > 0).all()
        assert (up * np.diff(both[middle::-16, 0]) > 0).all()
        assert np.linalg.norm(both[0] - both[-1]) > 40
        names = as_seen(seen.run(f"B.colors.categories({dark})"), sight)
        assert min(np.linalg.norm(a - b) for i, a in enumerate(names) for b in names[:i]) > 29


def test_features_lie_at_their_mass_centers_and_units_may_stand_behind_them(seen):
    seen.go("s0/sheet?of=feature&colour=density")
    x, y = seen.values("s0", "feature", "x"), seen.values("s0", "feature", "y")
    at = np.array(
        seen.run(
            "(b => Array.from({length: b.place.n}, (_, i) => b.at(i)))(document.querySelector('.board').board)"
        )
    )
    for axis, known in ((0, x), (1, y)):
        slope = np.polyfit(np.array(known, float), at[:, axis], 1)
        assert slope[0] > 0
        rounded = 0.06 * slope[0]  # numbers are written with three digits
        assert np.allclose(np.polyval(slope, np.array(known, float)), at[:, axis], atol=rounded)
    alone = seen.pixels()
    before = seen.run("document.querySelector('.board .base').toDataURL().length")
    seen.run("document.getElementById('both').click()")
    assert seen.run("B.state.show") == "both"
    assert seen.run("document.querySelector('.board .base').toDataURL().length") > before
    assert len(set(alone)) > 20
    seen.run("document.querySelector('input[name=of][value=unit]').click()")
    assert seen.run("[B.state.of, document.querySelector('.board').board.place.n]") == ["unit", SIDE**2]


def test_every_column_is_in_the_menu_and_colors_the_sheet(seen):
    seen.go("s0/sheet")
    names = seen.run("[...document.querySelectorAll('#colour option')].map(o => o.value)")
    assert sorted(names) == sorted(one["name"] for one in seen.sites["s0"]["columns"]["unit"])
    groups = seen.run("[...document.querySelectorAll('#colour optgroup')].map(o => o.label)")
    assert groups[:2] == ["place", "activity"]
    assert "brain" in groups
    shown = set()
    for name in ("preferred", "description", "r.IFG", "topic"):
        seen.run(
            f"(s => {{ s.value = '{name}'; s.dispatchEvent(new Event('change')); }})(document.getElementById('colour'))"
        )
        assert seen.run("B.state.colour") == name
        shown.add("".join(seen.pixels()))
    assert len(shown) == 4
    assert "cluster 3" in seen.run("document.querySelector('.legend').textContent")


def test_zoom_by_keys_keeps_the_sheet_in_view_and_both_sites_together(seen):
    seen.go("s0/sheet?beside=s1&colour=planted")

    def place(unit):
        return seen.run(f"[...document.querySelectorAll('.board')].map(b => b.board.at({unit}))")

    before = place(0)
    seen.browser.tab_to("e.tagName === 'CANVAS'")
    seen.key("+")
    zoomed = [b[0] - a[0] for a, b in zip(place(0), place(1), strict=True)]
    assert zoomed[0] == pytest.approx(zoomed[1])
    seen.key("0")
    assert place(0) == before
    assert zoomed[0] == pytest.approx(1.5 * (place(1)[0][0] - before[0][0]))


def test_the_wheel_scrolls_the_page_and_zooms_the_sheet_around_the_pointer_where_it_is_meant(seen):
    seen.go("s0/sheet?colour=planted")
    x, y = seen.at(BLOCK[0])
    wheel = {"type": "mouseWheel", "x": x, "y": y, "deltaX": 0}
    seen.browser.ask("Input.dispatchMouseEvent", **wheel, deltaY=-100)
    assert seen.at(BLOCK[0]) == [x, y]
    step = seen.at(BLOCK[1])[0] - x
    for turns in range(1, 4):
        seen.browser.ask("Input.dispatchMouseEvent", **wheel, deltaY=-100, modifiers=2)
        across = "(b => b.at(1)[0] - b.at(0)[0])(document.querySelector('.board').board)"
        seen.browser.wait(f"Math.abs({across} - {step} * 1.25 ** {turns}) < 0.1")
    assert seen.at(BLOCK[0]) == pytest.approx([x, y], abs=1)
    seen.run("[...document.querySelectorAll('.tools button')].find(b => b.textContent === 'whole').click()")
    assert seen.at(BLOCK[0]) == pytest.approx([x, y])


def test_without_a_sheet_all_are_laid_out_by_number_and_it_is_said(seen):
    seen.go("s0/about")
    seen.run(
        "(async () => { const m = document.getElementById('main'); m.replaceChildren();"
        "B.state = {...B.state, colour: 'density'};"
        "await B.pages.sheet.draw(m, B.state, B.site('flat'), null); })()"
    )
    assert "o sheet: units are laid out by number" in seen.run(
        "document.querySelector('.remarks').textContent"
    )
    x, y = (
        np.array(one) for one in seen.run("(p => [p.x, p.y])(document.querySelector('.board').board.place)")
    )
    across = x.max() + 1
    assert (y * across + x == np.arange(30)).all()
    seen.run("document.querySelector('input[name=of][value=feature]').click()")
    assert seen.run("document.querySelector('.board').board.place.n") == 40


def test_a_small_map_has_a_name_and_the_colors_of_its_values(seen):
    seen.go("s0/about")
    label, size, color = seen.run(
        "(() => { const values = new Array(256).fill(0); values[40] = 1;"
        "const c = B.sheet.map(B.site('s0'), {of: 'unit', values, mark: 40, selected: [1], size: 160});"
        "document.body.append(c);"
        f"const d = {COPY}(c).getImageData(...[8.5 * 10, 2.5 * 10].map(v => Math.round(v * c.width / 160)), 1, 1).data;"
        "return [c.getAttribute('aria-label'), [c.width, c.height], [...d]]; })()"
    )
    assert "unit 40 ringed" in label
    assert "1 outlined" in label
    assert size == [160, 160]
    last = seen.run("B.colors.sequential(false).at(-1)")
    assert "#" + "".join(f"{one:02x}" for one in color[:3]) == last


def test_the_lens_shows_each_layer_and_the_list_of_a_cell(seen):
    seen.go("s0/lens?beside=s1")
    whole = seen.whole["s0", "lens"]
    cells = seen.run(
        "[...document.querySelectorAll('.side:first-child table.lens tbody tr')]"
        ".map(r => [...r.querySelectorAll('button')].map(b => b.textContent))"
    )
    assert [[one.lstrip("·") for one in row] for row in cells] == [
        [cell["top"][0][0].strip() for cell in row] for row in whole["texts"][0]["grid"]
    ]
    seen.run("document.querySelector('[data-at=\"2.3\"]').click()")
    tops = seen.run(
        "[...document.querySelectorAll('.side')].map(s => [...s.querySelectorAll('table.tops td:first-child')]"
        ".map(c => c.textContent.replace('·', '')))"
    )
    for side, site in enumerate(("s0", "s1")):
        assert tops[side] == [
            one[0].strip() for one in seen.whole[site, "lens"]["texts"][0]["grid"][2][3]["top"]
        ]
    assert seen.run("B.state.cell") == "2.3"
    seen.key("ArrowUp")
    assert seen.run("document.activeElement.dataset.at") == "1.3"
    shades = [
        seen.run(f"document.querySelector('[data-at=\"{layer}.0\"]').style.background") for layer in range(4)
    ]
    assert len(set(shades)) == 4
    seen.run(
        "(s => { s.value = 'final_rank'; s.dispatchEvent(new Event('change')); })(document.getElementById('shade'))"
    )
    assert "rank of the final token" in seen.run("document.querySelector('.legend').textContent")
    assert seen.run("document.querySelectorAll('.profile path[fill=none]').length") == 2


@pytest.mark.parametrize("dark", [False, True])
def test_words_on_shaded_cells_are_readable(seen, dark):
    seen.go("s0/lens", dark=dark)
    ratios = seen.run(
        "[...document.querySelectorAll('button.cell')].map(b => ['color', 'backgroundColor'].map(n => '#' +"
        "getComputedStyle(b)[n].match(/\\d+/g).slice(0, 3).map(v => Number(v).toString(16).padStart(2, '0')).join('')))"
        ".map(two => two.map(B.colors.luminance).sort((p, q) => q - p)).map(([a, b]) => (a + .05) / (b + .05))"
    )
    assert len(ratios) == 20
    assert min(ratios) >= 4.5


def test_probes_are_lines_with_their_certificate_and_what_is_not_shown_is_said(seen):
    seen.go("s0/probes?beside=s1")
    names = seen.run("[...document.querySelectorAll('.side:first-child .series')].map(g => g.dataset.name)")
    assert names == ["largest mean difference", "adaptive thresholding", "optimal, with its gap", "units at random",
                     "rotated basis", "length alone", "word frequency alone", "all units"]  # fmt: skip
    said = seen.run(
        "[...document.querySelectorAll('.side:first-child .series[data-name^=optimal] title')].map(t => t.textContent)"
    )
    assert said == ["optimal, with its gap: 1, 0.61", "optimal, with its gap: 2, 0.67"]
    certificate = seen.run("document.querySelector('table.certificate').textContent")
    assert "No other unit of those searched can be better (gap 0)." in certificate
    assert "Within 2 % of the best" in certificate
    seen.run("document.querySelectorAll('nav.properties details').forEach(d => { d.open = true; })")
    seen.browser.wait("!!document.querySelector('.hidden-ones')")
    listed = seen.run("document.querySelector('nav.properties').textContent")
    assert "is_question is not shown: no better than word frequency (F1 0.62)." in listed
    assert "is_german: no catalogues here" in listed
    heights = seen.run(
        "(g => g.map(p => Number(p.getAttribute('d').match(/ ([\\d.]+)$/)[1])))"
        "(['units at random', 'rotated basis', 'adaptive thresholding']"
        ".map(n => document.querySelector(`.series[data-name='${n}'] path[fill=none]`)))"
    )
    assert heights[0] > heights[1] > heights[2]


def test_a_topic_leads_to_its_units_on_the_sheet(seen):
    seen.go("s0/topics")
    card = seen.run("document.querySelector('.cluster[data-number=\"2\"]').textContent")
    assert "word1" in card
    assert "nouns" in card
    assert "joins 1.4, permuted layouts 1, p 0.01" in card
    seen.run("document.querySelector('.cluster[data-number=\"2\"] h3 a').click()")
    seen.browser.wait("document.body.dataset.ready === 'sheet/s0'")
    assert seen.selected() == seen.whole["s0", "topics"]["clusters"][2]["units"].tolist()
    assert seen.run("document.getElementById('colour').value") == "topic"
    share = json.loads(seen.run("document.querySelector('table.means').parentNode.dataset.control"))["mean"]
    assert share == 1


def test_every_lesion_stands_beside_its_draws(seen):
    seen.go("s0/effects?beside=s1")
    assert seen.run("document.querySelectorAll('.side:first-child .points circle').length") == N_FEATURES
    at = np.array(
        seen.run(
            "[...document.querySelectorAll('.side:first-child .points circle')].map(c => +c.getAttribute('cx'))"
        )
    )
    control = 0.06 - np.linspace(-0.02, 0.06, N_FEATURES)
    assert np.corrcoef(at, control)[0, 1] > 0.9999
    assert "0.005" in seen.run("document.querySelector('table.median').textContent")
    row = seen.run("[...document.querySelectorAll('.lesion table.draws tbody tr')][0].textContent")
    assert "random" in row
    assert "200" in row
    assert "0.03 to 0.05" in row
    bar = seen.run(
        "(l => ['x1', 'x2'].map(n => Number(l.getAttribute(n))))(document.querySelector('.interval line'))"
    )
    assert bar[1] > bar[0]
    seen.run(
        "(s => { s.value = 'elsewhere'; s.dispatchEvent(new Event('change')); })(document.getElementById('against'))"
    )
    seen.browser.wait("/elsewhere/.test(document.querySelector('.scatter svg').getAttribute('aria-label'))")
    seen.run(
        "document.querySelector('.points circle[data-id=\"7\"]')"
        ".dispatchEvent(new MouseEvent('click', { bubbles: true }))"
    )
    seen.browser.wait("document.body.dataset.ready === 'feature/s0/7'")


@pytest.mark.parametrize("page", ["sheet", "probes", "lens", "topics", "effects"])
def test_on_a_phone_nothing_is_wider_than_the_window(seen, page):
    seen.go(f"s0/{page}?beside=s1", 390, 844, phone=True, dark=True)
    assert seen.run("document.documentElement.scrollWidth") <= 390


def test_the_sheet_is_drawn_anew_when_the_paper_turns_dark_and_when_the_window_grows(seen):
    seen.go("s0/sheet?colour=planted")
    light, width = seen.pixels(), seen.run("document.querySelector('.board .base').width")
    seen.browser.dark(True)
    dark = set(seen.run("B.colors.sequential(true)"))
    for _ in range(50):
        shown = [one for i, one in enumerate(seen.pixels()) if i != ABSENT]
        if set(shown) <= dark:
            break
    assert set(shown) <= dark
    assert shown != light
    seen.browser.size(1280, 700)
    seen.browser.size(700, 900)
    seen.browser.wait(f"document.querySelector('.board .base').width !== {width}")
