"""Documents of a corpus, and which are held out."""

import pytest

from brodmann import UserError
from brodmann.brain_data.stimuli.corpora import documents, text_corpus


def test_each_file_of_a_folder_is_a_document_and_the_last_are_held_out(tmp_path):
    for i in range(20):
        (tmp_path / f"{i}.txt").write_text(f"text number {i:02d}")
    corpus = text_corpus(tmp_path, share_held_out=0.1)
    assert corpus.training == tuple(f"text number {i:02d}" for i in range(18))
    assert corpus.held_out == ("text number 18", "text number 19")


def test_articles_of_wikitext_are_documents(tmp_path):
    (tmp_path / "w.txt").write_text(
        "".join(f" = Title {i} = \n\n some words \n\n = = Part = = \n\n more \n" for i in range(12))
    )
    found = documents(tmp_path)
    assert len(found) == 12
    assert all(one.lstrip().startswith("= Title") and "= = Part = =" in one for one in found)


def test_a_single_text_is_cut_at_its_empty_lines(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one\nstill one\n\ntwo\n\n\nthree")
    assert documents(path) == ["one\nstill one", "two", "three"]


@pytest.mark.parametrize("content", [b"alone", b"\xff\xfe\xff", b""])
def test_too_little_or_no_text_is_one_line(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(UserError):
        text_corpus(path)


def test_an_empty_folder_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no text file"):
        text_corpus(tmp_path)
