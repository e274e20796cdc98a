"""What a newcomer asks of the page, from a page in which the answers were planted."""

import dataclasses

import made_up
import numpy as np
import pytest
from chromium import Chromium
from test_page_shell import Reader

from brodmann.bench.reports.explorer.content import Column, Section
from brodmann.bench.reports.explorer.page import write_page

N, SIDE, MANY = 128, 8, 30
SILENT, RARE, BYTES, CONSTANT, HELD = 7, 8, 9, 10, 11
REGIONS = ("IFG", "PostTemp")
PATCH = [x + SIDE * y for y in (2, 3, 4) for x in (1, 2, 3)]


def brain_controls():
    kinds = [
        ("best feature of {}, chosen on one half and measured on the other", 0.2, 0.01),
        ("best untrained feature of {}, the same way", 0.03, None),
        ("best of as many random columns", 0.15, None),
    ]
    return [
        {"kind": kind.format(region), "of": "feature", "benchmark": "tuckute2024.netw-ridge", "region": region,
         "r": r + 0.001 * k, **({"p": p} if p else {}), "n": 500}
        for kind, r, p in kinds for k, region in enumerate(REGIONS)
    ]  # fmt: skip


def planted(section):
    if section.name == "description":
        section.entries["feature"][SILENT] = section.entries["feature"][RARE] = None
        more = {"features": {"rare": 40, "all_median": 0.123}}
        controls = [{**one, **more.get(one["kind"], {})} for one in section.controls]
        return dataclasses.replace(section, controls=controls)
    if section.name == "histogram":
        for i, silent in ((SILENT, 45_000), (RARE, 44_997)):
            section.entries["feature"][i] = {**section.entries["feature"][i], "silent": silent}
    if section.name == "tokens":
        section.entries["feature"][BYTES]["promoted"][:3] = [["\x1e", 3.0], ["\x85", 2.9], [" \x7f", 2.8]]
    if section.name == "effects":
        section.entries["feature"][SILENT].update(fires=0.0, elsewhere=0.0, other_fires=0.0, n_fires=0)
    if section.name == "twins":
        section.entries["feature"][HELD]["matches"][1]["held_out_r"] = 0.02
    if section.name == "neighbours":
        section.entries["feature"][HELD].update(
            sheet=[[1, 0.5, 0.2], [2, 0.6, 0.1]], functional=[[2, 0.9, 0.6], [3, 0.8, 3.0]]
        )
    if section.name == "brain":
        for i in range(N):
            at_zero = i == CONSTANT
            shown = [[name, 0.0 if at_zero else r, 0.5, 1.0 if at_zero else p]
                     for name, r, p in zip(REGIONS, (0.05, 0.14), (0.3, 0.001), strict=True)]  # fmt: skip
            section.entries["feature"][i] = [
                {"benchmark": "tuckute2024.netw-ridge", "n": 500, "regions": shown}
            ]
        return dataclasses.replace(section, controls=brain_controls())
    if section.name == "views":
        rng = np.random.default_rng(5)
        for k in range(MANY):
            values = rng.normal(0, 1, N)
            values[HELD] = 0.1 * k
            section.columns["feature"].append(
                Column(f"t.p{k}", f"t of p{k}", values, "probes", diverging=True)
            )
        french = np.linspace(-4, 4, N)
        section.columns["feature"].append(
            Column("t.is_french", "t of is_french", french, "probes", diverging=True, sentence="the text is French",
                   beside=[{"kind": "labels shuffled", "value": 3.1}])
        )  # fmt: skip
        patch = np.array([5.0 if i in PATCH else rng.normal() for i in range(SIDE**2)])
        section.columns["unit"].append(Column("t.patch", "t of patch", patch, "probes", diverging=True))
    return section


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    made = made_up.page(SIDE**2, N, vision=True)
    first = made.sites[0]
    sections: list[Section] = [planted(one) for one in first.sections]
    sites = [dataclasses.replace(first, sections=sections), *made.sites[1:]]
    return write_page(dataclasses.replace(made, sites=sites), tmp_path_factory.mktemp("asked") / "page").path


@pytest.fixture(scope="module")
def browsed(tmp_path_factory):
    if not Chromium.is_here():
        pytest.skip("no Chromium: apt-get install chromium")
    with Chromium(tmp_path_factory.mktemp("browser") / "profile") as browser:
        yield Reader(browser)


@pytest.fixture
def asked(browsed):
    browsed.browser.events.clear()
    browsed.browser.size(1280, 900)
    yield browsed
    assert browsed.browser.complaints() == []
    assert browsed.errors() == ""


def block(reader, name):
    return " ".join(reader.browser.run(f"document.querySelector('[data-block={name}]').innerText").split())


@pytest.mark.parametrize("question", ["French features", "is_french", "french"])
def test_what_a_property_is_called_leads_to_those_that_answer_to_it_most(page, asked, question):
    asked.open(page, "#/s0/about")
    asked.browser.press("/")
    asked.browser.type(question)
    asked.browser.wait(f"document.querySelector('.found').dataset.q === {question!r}")
    found = asked.browser.run(
        "[...document.querySelectorAll('[role=option]')].map(e => e.innerText.replace(/\\s+/g, ' '))"
    )
    assert found == ["features by t of is_french", "probe of is_french"]
    asked.browser.press("Enter")
    asked.settle("table/s0")
    first = "[...document.querySelectorAll('.grid tr[data-id]')].slice(0, 3).map(e => Number(e.dataset.id))"
    assert asked.browser.run(first) == [N - 1, N - 2, N - 3]
    heads = asked.browser.run(
        "[...document.querySelectorAll('.grid thead th')].map(e => [e.innerText, e.ariaSort])"
    )
    assert heads[1] == ["t of is_french", "descending"]  # where it is seen, on a phone, too
    assert "Sorted by t of is_french: the text is French. Beside it: labels shuffled 3.1." in asked.text()


def test_a_question_that_nothing_answers_is_said_to_be_one(page, asked):
    asked.open(page, "#/s0/about")
    asked.browser.press("/")
    asked.browser.type("zebra features")
    asked.browser.wait("document.querySelector('.found').dataset.q === 'zebra features'")
    assert "nothing in made-up-topographic holds “zebra features”" in asked.browser.run(
        "document.querySelector('.found').innerText"
    )
    assert asked.browser.run("document.querySelectorAll('[role=option]').length") == 0


def test_an_empty_part_says_why(page, asked):
    asked.open(page, f"#/s0/feature/{SILENT}")
    assert "The feature is never active in these 45,000 tokens." in block(asked, "description")
    assert "Never active in these 45,000 tokens." in block(asked, "histogram")
    asked.go(f"#/s0/feature/{RARE}")
    assert "active at 3 of these 45,000 tokens: too few" in block(asked, "description")
    assert "Active in 3 of 45,000 tokens" in block(asked, "histogram")


def test_a_description_says_in_words_what_its_scores_are(page, asked):
    asked.open(page, "#/s0/feature/12")
    said = block(asked, "description")
    assert "on texts that it was not made from" in said
    assert (
        "It tells where the feature fires from where it is silent 90 % of the time (50 % is chance)." in said
    )
    assert (
        "The tokens that it names hold 83 % of the activity, and the feature fires at 70 % of them." in said
    )
    assert "0.88 (0.123)" in said  # the median of those that fire often enough, and of all
    assert "in brackets of all that ever fire" in said
    asked.go("#/s1/feature/12")
    said = block(asked, "description")
    assert "0.88 (0.77)" in said
    assert "0.53 (" not in said  # none of the untrained ones was too rare
    asked.go("#/v/unit/3")
    said = block(asked, "description")
    assert "on pictures that it was not made from" in said
    assert "shuffled pictures" in said
    assert "texts" not in said


def test_a_region_is_said_to_be_predicted_by_more_than_chance_or_not(page, asked):
    asked.open(page, "#/s0/feature/12")
    said = block(asked, "brain")
    assert (
        "Most: PostTemp, r 0.14. More than chance for a feature that was picked beforehand (p 0.002, for 2 regions)."
        in said
    )
    assert "reaches 0.151 there: found by looking through all features, it would be chance." in said
    table = asked.browser.run(
        "[...document.querySelectorAll('[data-block=brain] table.rows tr')]"
        ".map(r => [...r.cells].map(c => c.textContent))"
    )
    assert table == [
        ["region", "best feature", "untrained", "noise", "p"],
        ["IFG", "0.2", "0.03", "0.15", "0.01"], ["PostTemp", "0.201", "0.031", "0.151", "0.01"],
    ]  # fmt: skip
    asked.go(f"#/s0/feature/{CONSTANT}")
    assert "the same for all 500 stimuli" in block(asked, "brain")
    assert "Most:" not in block(asked, "brain")


def test_a_match_is_held_against_the_highest_control(page, asked):
    asked.open(page, "#/s0/feature/12")
    said = block(asked, "twins")
    assert (
        "Made-up-baseline: feature 84 is the most alike, held-out r 0.55, more than the highest control (units: 0.4)."
        in said
    )
    asked.go(f"#/s0/feature/{HELD}")
    assert "held-out r 0.02, no more than a control (units: 0.4): the same one was not found there." in block(
        asked, "twins"
    )


def test_silence_is_told_in_a_sentence(page, asked):
    asked.open(page, "#/s0/feature/12")
    assert (
        "Where it fires (300 tokens) the loss rises by 0.06 nats, 0.055 more than where another feature is silenced at "
        "the same tokens; elsewhere it changes by 0.02." in block(asked, "effects")
    )
    asked.go(f"#/s0/feature/{SILENT}")
    assert "its silence changes nothing" in block(asked, "effects")
    assert "nats," not in block(asked, "effects")


def test_neighbours_that_are_near_and_alike_are_named_and_lead_to_the_sheet(page, asked):
    asked.open(page, f"#/s0/feature/{HELD}")
    assert "Near and alike: feature 2. These on the sheet" in block(asked, "neighbours")
    asked.browser.run("document.querySelector('.both a:last-child').click()")
    asked.settle("sheet/s0")
    assert asked.browser.run("[B.state.of, B.state.selected]") == ["feature", f"1,2,{HELD}"]
    asked.go("#/s0/unit/5")
    assert "Of the same topic cluster (cluster " in block(asked, "neighbours")


def test_bytes_that_no_font_draws_are_seen(page, asked):
    asked.open(page, f"#/s0/feature/{BYTES}")
    chips = asked.browser.run(
        "[...document.querySelectorAll('[data-block=tokens] .chips li')].slice(0, 3).map(e => e.firstChild.data)"
    )
    assert chips == ["\\x1e", "\\x85", "·\\x7f"]


def test_of_a_long_group_of_numbers_the_furthest_from_zero_stand_first(page, asked):
    asked.open(page, f"#/s0/feature/{HELD}")
    names = asked.browser.run(
        "[...document.querySelectorAll('[data-block=numbers] > div > table tbody th[scope=row]')]"
        ".map(e => e.textContent)"
    )
    shown = [one for one in names if one.startswith("t of ")]
    values = {f"t of p{k}": 0.1 * k for k in range(MANY)}
    values["t of is_french"] = -4 + 8 * HELD / (N - 1)
    values["t of face"] = asked.browser.run(f"B.column(B.site('s0'), 'feature', 't.face').values[{HELD}]")
    far = sorted(values, key=lambda one: -abs(values[one]))
    assert shown == [one for one in far if one in shown]
    assert set(shown) <= set(far[:6])
    assert len(shown) >= 5  # a category of the group may stand among them
    asked.browser.run("document.querySelector('[data-block=numbers] > div > details summary').click()")
    asked.browser.wait(
        "document.querySelectorAll('[data-block=numbers] > div > details tbody tr').length > 20"
    )
    rest = asked.browser.run(
        "[...document.querySelectorAll('[data-block=numbers] > div > details th[scope=row]')].map(e => e.textContent)"
    )
    assert set(far) <= {*shown, *rest}


def test_a_patch_says_what_it_answers_to(page, asked):
    asked.open(page, f"#/s0/sheet?of=unit&selected={','.join(map(str, PATCH))}")
    first = asked.browser.run(
        "[...document.querySelector('table.prefers tbody tr').cells].map(c => c.textContent)"
    )
    assert first[:2] == ["t of patch", "5"]
    assert float(first[4]) < 0.05
    asked.browser.run("document.querySelector('table.prefers a').click()")
    asked.settle("sheet/s0")
    assert asked.browser.run("B.state.colour") == "t.patch"


def test_a_link_holds_the_part_of_the_sheet_that_is_seen(page, asked):
    asked.open(page, "#/s0/sheet?beside=s1&of=unit")
    places = "[...document.querySelectorAll('.board')].map(b => b.board.at(0))"
    whole = asked.browser.run(places)
    asked.browser.run("document.querySelector('button[aria-label^=\"zoom in\"]').click()")
    asked.browser.run("document.getElementById('own').click()")
    asked.browser.wait("location.hash.includes('view=')")
    seen, address = asked.browser.run(places), asked.browser.run("location.hash")
    assert seen != whole
    asked.open(page, address)
    assert np.allclose(asked.browser.run(places), seen, atol=2)
    assert asked.browser.run("document.getElementById('own').checked")
    asked.go("#/s0/effects?against=elsewhere")
    assert asked.browser.run("document.getElementById('against').value") == "elsewhere"


def test_properties_with_a_certificate_are_marked_in_the_list(page, asked):
    asked.open(page, "#/s0/probes")
    marked = asked.browser.run(
        "[...document.querySelectorAll('.properties li')]"
        ".map(e => [e.querySelector('a').textContent, Boolean(e.querySelector('.badge'))])"
    )
    assert marked == [["is_french", True], ["is_python_code", True]]


@pytest.mark.parametrize("address", ["s0/feature/12", "s0/unit/5", "s0/probes", "s0/about", "v/unit/3"])
def test_what_scrolls_has_a_name_and_can_be_reached_by_keys(page, asked, address):
    asked.browser.size(390, 844, phone=True)
    asked.open(page, f"#/{address}")
    unreached = asked.browser.run(
        "[...document.querySelectorAll('.scroll')]"
        ".filter(e => e.scrollWidth > e.clientWidth && (e.tabIndex < 0 || !e.ariaLabel)).length"
    )
    assert unreached == 0
    assert asked.browser.run("document.documentElement.scrollWidth <= innerWidth")
    # everything is laid out by now, also what is below the fold
    assert asked.browser.run(
        "[...document.querySelectorAll('.block')].every(e => getComputedStyle(e).contentVisibility === 'visible')"
    )
