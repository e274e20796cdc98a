"""BibTeX: every work once, in a file that BibTeX reads, and a line a work."""

import pytest
from pybtex.database import parse_string

import brodmann
from brodmann.bench.bibliography import cited, joined

HAXBY = """@article{haxby2001,
  title = {Distributed {and} overlapping},
  author = {Haxby, James V. and Gobbini, M. Ida},
  journal = {Science}, year = {2001}
}"""
OTHER = '@misc{simulated, author = "Ludwig van Beethoven", note = {by a program, in Köln}}'


def test_every_work_stands_once_whatever_its_spelling():
    spelled = HAXBY.replace("\n  ", " ").replace("{Science}", '"Science"')
    found = joined([HAXBY, "", f"{OTHER}\n\n{spelled}", HAXBY])
    assert list(parse_string(found, "bibtex").entries) == ["haxby2001", "simulated"]
    assert "{and} overlapping" in found
    assert joined([found]) == found


def test_a_line_a_work():
    assert cited(f"{HAXBY}\n{OTHER}\n@misc{{empty, note = {{nothing}}}}") == [
        "Haxby et al. 2001, Science",
        "van Beethoven",
    ]


@pytest.mark.parametrize("text", ["see our paper\nof 2001", "@article{broken, author = {A", "<b>bold"])
def test_what_is_no_bibtex_breaks_no_bibliography(text):
    assert cited(text) == []
    found = joined([text, HAXBY])
    assert list(parse_string(found, "bibtex").entries) == ["haxby2001"]
    assert text.splitlines()[0].lstrip("@") in found


def test_entries_beside_a_damaged_one_are_kept():
    assert cited(f"{HAXBY}\n\n{HAXBY}\n\n@article{{b c d\n\n{OTHER}") == [
        "Haxby et al. 2001, Science",
        "van Beethoven",
    ]


@pytest.mark.parametrize("card", brodmann.list_datasets(), ids=lambda card: card.identifier)
def test_every_data_set_cites_works_that_bibtex_reads(card):
    entries = parse_string(card.bibtex, "bibtex").entries
    assert len(entries) == card.bibtex.count("\n@") + card.bibtex.startswith("@")
    assert len(cited(card.bibtex)) == len(entries)
