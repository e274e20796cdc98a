"""How the page is written: parts that a browser reads without a server, and a folder that is whole or not there."""

import base64
import gzip
import hashlib
import json
import re

import made_up
import numpy as np
import pytest

from brodmann.bench.reports.explorer import page as writing
from brodmann.bench.reports.explorer.content import PER_SHARD, Page, plain, searched
from brodmann.bench.reports.explorer.page import SCRIPTS, write_page
from brodmann.bench.reports.explorer.shards import packed, path_of, script
from brodmann.errors import UserError


@pytest.fixture(scope="module")
def page():
    return made_up.page(16, 130, vision=True)


@pytest.fixture(scope="module")
def folder(page, tmp_path_factory):
    return write_page(page, tmp_path_factory.mktemp("written") / "page").path.parent


def read(path):
    """The name and the content of a part, as a browser gets them."""
    name, text = re.fullmatch(r"__put\((.*),(\".*\")\)\n", path.read_text(encoding="utf-8")).groups()
    return json.loads(name), json.loads(gzip.decompress(base64.b64decode(json.loads(text))))


def test_every_part_lies_under_its_name_and_comes_back_as_it_was(page, folder):
    parts = page.shards()
    assert {path_of(name) for name in parts} == {f"data/{path.name}" for path in (folder / "data").iterdir()}
    for name, content in parts.items():
        put, found = read(folder / path_of(name))
        assert put == name
        assert found == json.loads(json.dumps(plain(content, 4 if name == "index" else 3)))


def test_units_and_features_lie_in_parts_of_64_and_none_is_lost(page):
    parts = page.shards()
    for site in page.sites:
        for of, n in site.n.items():
            mine = [parts[f"{site.key}/{of}/{i}"] for i in range(-(-n // PER_SHARD))]
            assert [len(one) for one in mine[:-1]] == [PER_SHARD] * (len(mine) - 1)
            assert sum(map(len, mine)) == n
            described = next(one for one in site.sections if one.name == "description").entries[of]
            assert [entry["description"] for part in mine for entry in part] == list(described)


def test_what_a_search_looks_through_holds_descriptions_labels_words_and_promoted_tokens(page):
    found = page.shards()["s0/search"]
    assert [len(found["unit"]), len(found["feature"])] == [16, 130]
    said, beside = found["feature"][2].split("\n")
    assert said == "fires on le (83 % of its mass)"
    assert {"my label", "le", "la", "word5"} <= set(beside.split(" ")) | {"my label"}
    assert "my label" in beside
    assert searched(None, None) == "\n"
    assert (
        searched({"text": "a\nb", "keys": [["\n", 1.0]]}, {"promoted": [[" x", 2.0], ["x", 1.0]]})
        == "a b\n x"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.123456, 0.1235), (float("nan"), None), (np.float32("inf"), None), (np.int64(7), 7), (3.0, 3), (1e7, 1e7),
        (np.bool_(True), True), (True, True), (None, None), ("a", "a"), (np.str_("b"), "b"), ((1, 2.00001), [1, 2]),
        ({1: np.arange(2)}, {"1": [0, 1]}), (np.array([0.5, np.nan]), [0.5, None]), ([1, "a", None], [1, "a", None]),
        ([[1, np.int32(2)], []], [[1, 2], []]), ([1, float("nan")], [1, None]), (np.array([[True]]), [[True]]),
    ],
)  # fmt: skip
def test_values_become_plain(value, expected):
    found = plain(value)
    assert json.dumps(found) == json.dumps(expected)


def test_the_same_content_gives_the_same_text_and_surrogates_do_no_harm():
    assert packed({"a": [1.0]}) == packed({"a": [1.0]})
    assert script("x/y", "\udcff").startswith('__put("x/y","')
    assert path_of("s0/feature/3") == "data/s0-feature-3.js"


def test_a_hostile_title_and_hostile_texts_stay_texts(page, folder):
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert made_up.HOSTILE in page.title
    assert made_up.HOSTILE not in html
    assert "&lt;/script&gt;" in html
    assert html.count("<script") == len(SCRIPTS)
    assert not any("<" in path.read_text() for path in (folder / "data").iterdir())


def test_one_file_holds_all_and_lets_run_what_it_holds_alone(page, tmp_path):
    written = write_page(page, tmp_path / "one", single=True)
    assert sorted(one.name for one in written.path.parent.iterdir()) == ["explorer.json", "index.html"]
    html = written.path.read_text(encoding="utf-8")
    inline = re.findall(r"<script>(.*?)</script>", html, re.S)
    assert len(inline) == len(SCRIPTS) + len(page.shards())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1].replace(
        "&#39;", "'"
    )
    allowed = set(re.findall(r"'sha256-([^']*)'", policy))
    digests = {base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in inline}
    assert digests <= allowed
    assert len(allowed) == len(digests) + 1  # and the style
    assert "unsafe" not in policy


def test_a_page_replaces_an_earlier_page_whole(page, folder, tmp_path):
    first = write_page(page, tmp_path / "page").path.parent
    (first / "data" / "old.js").write_text("left over")
    again = write_page(page, first)
    assert not (first / "data" / "old.js").exists()
    assert again.n_bytes == sum(one.stat().st_size for one in first.rglob("*") if one.is_file())


def test_a_page_that_fails_leaves_the_earlier_one(page, tmp_path, monkeypatch):
    folder = write_page(page, tmp_path / "page").path.parent
    before = {one.name: one.read_bytes() for one in folder.rglob("*.js")}

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(writing, "write_bytes", full)
    with pytest.raises(UserError, match="no space left"):
        write_page(page, folder)
    assert {one.name: one.read_bytes() for one in folder.rglob("*.js")} == before


def test_a_folder_of_anything_else_is_left_alone(page, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="holds something else"):
        write_page(page, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"
    with pytest.raises(UserError, match="holds something else"):
        write_page(page, tmp_path / "mine" / "thesis.tex")
    (tmp_path / "empty").mkdir()
    assert write_page(page, tmp_path / "empty").path.is_file()


@pytest.mark.parametrize("key", ["../up", "a/b", "", "a b", "<x>"])
def test_keys_that_could_leave_the_folder_are_refused(key, tmp_path):
    one = made_up.site("s0", "t", 1, 4, 4)
    wrong = type(one)(**{**vars(one), "key": key})
    with pytest.raises(ValueError, match="keys of a page"):
        write_page(Page("t", [wrong], [], {}), tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_a_section_that_forgets_one_is_refused(tmp_path):
    one = made_up.site("s0", "t", 1, 4, 4)
    wrong = type(one)(**{**vars(one), "n": {"unit": 5, "feature": 4}})
    with pytest.raises(ValueError, match="4 entries of 5 units|4 values of 5 units"):
        write_page(Page("t", [wrong], [], {}), tmp_path / "page")
