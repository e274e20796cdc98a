"""The pages in a browser, with 4885 published scores: phone, desktop, keyboard alone, without scripts, as files."""

import functools
import http.server
import os
import re
import threading
from pathlib import Path

import pytest

pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")

from boards import Server, body, card, document, layout, score, simulated
from chromium import Chromium

from brodmann.bench.leaderboard import open_board, parse_submission, write_site
from brodmann.bench.leaderboard.storage.csv_import import import_scores
from brodmann.bench.leaderboard.storage.database import close_board

NAMES = "[...document.querySelectorAll('#board tbody tr:not([hidden])')].map(r => r.cells[1].firstChild.textContent)"


@pytest.fixture(scope="module")
def filled(tmp_path_factory, test_data):
    """A board with the published scores, and a topographic model of vision."""
    path = tmp_path_factory.mktemp("pages") / "board.sqlite"
    board = open_board(path)
    import_scores(
        board, test_data / "schrimpf2021-language" / "precomputed-scores.csv", board.person("published")
    )
    models = [card("topographic-net", topographic=True, title="a net with a sheet"), card("plain-net")]
    content = document(
        models,
        [
            score("topographic-net", 0.4),
            simulated("topographic-net"),
            score("plain-net", 0.35),
            simulated("plain-net"),
        ],
        [layout("topographic-net")],
    )
    board.submit(parse_submission(body(content)), body(content).decode(), board.person("ada"))
    yield path
    close_board()


@pytest.fixture(scope="module")
def server(filled):
    served = Server(filled, "--reads", 10**6)
    yield served
    served.stop()


@pytest.fixture
def browser(tmp_path):
    if not Chromium.is_here():
        pytest.skip("no Chromium: apt-get install chromium")
    with Chromium(tmp_path / "profile") as opened:
        yield opened


@pytest.fixture
def pictures(tmp_path):
    """Where screenshots go: ``BRODMANN_SCREENSHOTS``, to be looked at."""
    folder = Path(os.environ.get("BRODMANN_SCREENSHOTS") or tmp_path / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_the_first_page_is_small(server):
    page = server.get("/?domain=language")[2]
    together = len(page) + sum(
        len(server.get(path)[2]) for path in ("/static/board.css", "/static/board.js", "/static/icon.svg")
    )
    packed = len(server.get("/?domain=language", Accept_Encoding="gzip")[2])
    print(f"first page: {len(page):,} bytes, {packed:,} compressed, {together:,} with style and script")
    assert together < 300_000
    assert page.count(b'<th scope="row"') == 88


@pytest.mark.parametrize(("name", "size"), [("phone", (390, 844)), ("desktop", (1400, 900))])
def test_nothing_leaves_the_screen(server, browser, pictures, name, size):
    browser.size(*size, phone=name == "phone")
    for page, path in {
        "board": "/?domain=language", "vision": "/?domain=vision", "model": "/models/gpt2-xl",
        "topographic": "/models/topographic-net", "benchmark": "/benchmarks/pereira2018-encoding",
        "compare": "/compare?a=gpt2&b=gpt2-xl", "about": "/about", "docs": "/docs",
        "nothing": "/models/nobody",
    }.items():  # fmt: skip
        browser.open(server.url + path)
        browser.picture(pictures / f"{name}-{page}.png")
        wide = browser.run("document.documentElement.scrollWidth")
        assert wide <= size[0], (page, wide)
        assert browser.run("document.querySelectorAll('h1').length") == 1
        assert browser.run("[...document.images].every(i => i.alt && i.complete && i.naturalWidth)")
        small = browser.run(
            "[...document.querySelectorAll('button, input:not([type=hidden]), select')]"
            ".filter(e => !e.closest('th') && e.getBoundingClientRect().height < 30).length"
        )
        assert small == 0, page
    browser.dark(True)
    browser.open(f"{server.url}/?domain=language")
    browser.picture(pictures / f"{name}-dark.png")
    assert [one for one in browser.complaints() if "404" not in one] == []


def test_with_the_keyboard_alone(server, browser):
    browser.size(1400, 900)
    browser.open(f"{server.url}/?domain=language")
    first = browser.run(NAMES)
    browser.press("Tab")
    assert browser.run("document.activeElement.className") == "skip"
    browser.press("Enter")
    browser.wait("document.activeElement.id === 'main'")
    browser.tab_to("e.id === 'search'")
    browser.type("gpt2-xl")
    assert browser.run(NAMES) == ["gpt2-xl", "gpt2-xl-untrained"]
    assert browser.run("document.getElementById('count').textContent") == "2 of 88 models"
    browser.run("document.getElementById('search').select()")
    browser.type("")
    browser.ask("Input.dispatchKeyEvent", type="keyDown", key="Backspace", windowsVirtualKeyCode=8)
    assert browser.run(NAMES) == first
    browser.tab_to("e.textContent.startsWith('Pereira')")
    assert (
        browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    )  # one sees where one is
    browser.press("Enter")
    assert browser.run(NAMES)[0] == "gpt2-xl"
    assert browser.run("document.querySelector('[aria-sort]').textContent").startswith("Pereira")
    browser.press("Enter")
    assert browser.run("document.querySelector('[aria-sort]').getAttribute('aria-sort')") == "ascending"
    browser.tab_to("e.closest('tbody') !== null")
    name = browser.run("document.activeElement.textContent")
    browser.press("Enter")
    browser.wait(f"document.querySelector('h1').textContent === '{name}'")
    browser.tab_to("e.name === 'b'")
    browser.tab_to("e.type === 'submit'")
    browser.press("Enter")
    browser.wait("location.pathname === '/compare'")
    assert browser.complaints() == []


def test_without_scripts(server, browser):
    """Sorting, filtering and comparing are questions to the server."""
    browser.scripts(False)
    browser.open(f"{server.url}/?domain=language")
    assert browser.run("document.getElementById('count').textContent") == ""
    browser.tab_to("e.textContent.startsWith('wikitext')")
    browser.press("Enter")
    browser.wait("location.search.includes('sort=wikitext-2') && document.readyState === 'complete'")
    values = browser.run(
        "[...document.querySelectorAll('#board tbody tr')].map(r => r.lastElementChild.dataset.v).filter(Boolean)"
    )
    assert len(values) == 82
    assert [float(one) for one in values] == sorted(map(float, values))  # lower is better: the lowest first
    browser.tab_to("e.id === 'search'")
    browser.type("gpt2 untrained")
    browser.press("Enter")
    browser.wait("location.search.includes('q=gpt2') && document.readyState === 'complete'")
    names = ("distilgpt2", "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")
    assert set(browser.run(NAMES)) == {f"{name}-untrained" for name in names}
    browser.open(f"{server.url}/?domain=language&q=gpt2&family=GPT&min_parameters=300_000_000&topographic=no")
    found = {f"gpt2-{size}{kind}" for size in ("medium", "large", "xl") for kind in ("", "-untrained")}
    assert set(browser.run(NAMES)) == found
    assert browser.run("document.querySelector('details').open")  # one sees what is filtered
    browser.open(f"{server.url}/compare?a=gpt2&b=gpt2-xl")
    assert browser.run("document.querySelectorAll('main tbody tr').length") == 13


def test_the_static_site_is_the_same_pages(filled, server, browser, tmp_path, pictures):
    board = open_board(filled)
    paths = write_site(board, tmp_path / "site", address="https://board.example.org")
    close_board()
    assert paths[0] == tmp_path / "site" / "index.html"
    root = tmp_path / "site"
    for path in root.rglob("*.html"):  # every link leads to a file
        for link in re.findall(r'(?:href|src|action)="([^"#]+)"', path.read_text()):
            if not link.startswith(("https:", "data:")):
                assert (path.parent / link.split("?")[0]).resolve().is_file(), (path.name, link)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=root)
    handler.log_message = lambda *_: None
    files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=files.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{files.server_port}"
    try:
        browser.size(1400, 900)
        browser.open(f"{url}/language.html")
        shown = browser.run(NAMES)
        browser.open(f"{server.url}/?domain=language")
        assert browser.run(NAMES) == shown
        browser.open(f"{url}/language.html")
        browser.tab_to("e.id === 'search'")
        browser.type("bert-base")
        assert all("bert" in name for name in browser.run(NAMES))
        browser.open(f"{url}/compare.html?a=gpt2&b=gpt2-xl")
        browser.wait("document.querySelectorAll('#comparison tbody tr').length === 13")
        assert browser.run("document.querySelector('#comparison p').textContent").startswith("13 benchmarks")
        browser.picture(pictures / "static-compare.png")
        assert browser.complaints() == []
    finally:
        files.shutdown()
        files.server_close()
    again = open_board(filled)
    assert len(write_site(again, root)) == len(paths)  # an earlier export is replaced
    close_board()
