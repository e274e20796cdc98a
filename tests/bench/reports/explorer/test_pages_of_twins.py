"""The pages that the documentation shows, made by its own script in small, and opened in both themes and on a phone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from chromium import Chromium

SCRIPT = Path(__file__).parents[4] / "docs" / "make_pages.sh"
LESS = ("--n-features", "96", "--rows", "20k", "--most-rows", "5000", "--drawn", "200")
VIEWS = ("sheet", "feature/3", "unit/7", "table", "probes", "lens", "about")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of both pages; where BRODMANN_PAGES names one, they stay there."""
    folder = Path(os.environ.get("BRODMANN_PAGES") or tmp_path_factory.mktemp("pages"))
    tools = tmp_path_factory.mktemp("tools")
    (tools / "brodmann").write_text(
        f"#!{sys.executable}\nimport sys\nfrom brodmann.bench.cli.main import main\nsys.argv[0] = 'brodmann'\nmain()\n"
    )
    (tools / "brodmann").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", SCRIPT, folder, *LESS],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.skipif(not Chromium.is_here(), reason="chromium is not installed")
@pytest.mark.parametrize("kind", ["language", "vision"])
def test_both_twins_are_on_a_page_without_a_complaint(pages, kind, tmp_path):
    with Chromium(tmp_path / "profile") as browser:
        browser.ask(
            "Network.emulateNetworkConditions",
            offline=True,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )
        for width, phone in ((1280, False), (390, True)):
            browser.size(width, 900, phone=phone)
            for view in VIEWS:
                browser.dark(on=view in ("sheet", "table"))
                one, two = f"twin-{kind}-topographic", f"twin-{kind}-baseline"
                browser.ask("Page.navigate", url="about:blank")
                browser.open(f"file://{pages}/{kind}/index.html#/{one}/{view}?beside={two}")
                browser.wait("!!document.getElementById('ready')")
                assert browser.run("document.getElementById('errors').textContent") == ""
                assert browser.run("document.documentElement.scrollWidth") <= width, view
                assert two in browser.run("document.getElementById('main').textContent")
        assert browser.complaints() == []
