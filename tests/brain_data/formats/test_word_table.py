"""Tables of words with their times."""

import pytest

from brodmann import UserError
from brodmann.brain_data.formats.word_table import read_words


def test_a_table_of_words_by_commas_or_tabs_with_offsets_or_durations(tmp_path):
    (tmp_path / "a.csv").write_text("story,word,onset,offset\na,null,0.1,0.4\na,NA,0.4,0.9\nb,x,0,0.2\n")
    (tmp_path / "b.tsv").write_text("word\tonset\tduration\nnull\t0.1\t0.3\nNA\t0.4\t0.5\n")
    by_commas, by_tabs = read_words(tmp_path / "a.csv"), read_words(tmp_path / "b.tsv")
    assert by_commas["word"].tolist() == ["null", "NA", "x"]
    assert by_tabs[["onset", "offset"]].to_numpy().tolist() == [[0.1, 0.4], [0.4, 0.9]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "word,onset,offset\na,100,400\nb,400,7000\n",
            "the median word lasts 3450: times must be in s .* ms",
        ),
        (
            "word,onset,offset\na,0.0001,0.0004\nb,0.0004,0.0009\n",
            "the median word lasts 0.0004: times must be in s",
        ),
        ("word,onset\na,1\n", "has no column 'offset'"),
        ("word,onset,offset\na,1,0.5\n", r"the word 'a' \(number 1\) ends before it begins"),
        (
            "word,onset,offset\na,1,1.2\nb,0.5,0.9\n",
            r"the word 'b' \(number 2\) begins before the one above it",
        ),
        ("word,onset,offset\na,1,1.2\nb,,0.9\n", r"the word 'b' \(number 2\) has no time"),
    ],
)
def test_a_table_whose_times_cannot_be_is_one_line(text, message, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_words(tmp_path / "a.csv")
