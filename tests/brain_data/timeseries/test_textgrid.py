"""TextGrids in both forms."""

import pytest

from brodmann import UserError
from brodmann.brain_data.timeseries.textgrid import read_textgrid, textgrid_words

INTERVALS = [
    (0.0, 0.5, "sp"),
    (0.5, 0.9, "The"),
    (0.9, 1.4, 'so-called ""end""'),
    (1.4, 1.6, "{SL}"),
    (1.6, 1.9, "br"),
    (1.9, 2.0, ""),
    (2.0, 2.4, "naïve"),
]


def long_form(intervals=INTERVALS, n=None):
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0 ",
        "xmax = 2.4 ",
        "tiers? <exists> ",
    ]
    lines += ["size = 3 ", "item []: "]
    tiers = [("phone", [(0.0, 2.4, "AH0")]), ("word", intervals)]
    for number, (name, rows) in enumerate(tiers, start=1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier" ', f'        name = "{name}" ']
        lines += ["        xmin = 0 ", "        xmax = 2.4 ", f"        intervals: size = {n or len(rows)} "]
        for i, (start, stop, text) in enumerate(rows, start=1):
            lines += [
                f"        intervals [{i}]:",
                f"            xmin = {start} ",
                f"            xmax = {stop} ",
            ]
            lines += [f'            text = "{text}" ']
    lines += [
        "    item [3]:",
        '        class = "TextTier" ',
        '        name = "clicks" ',
        "        xmin = 0 ",
        "        xmax = 2.4 ",
    ]
    lines += [
        "        points: size = 1 ",
        "        points [1]:",
        "            number = 1.25 ",
        '            mark = "1.5" ',
    ]
    return "\n".join(lines) + "\n"


def short_form(intervals=INTERVALS):
    rows = [line for start, stop, text in intervals for line in (str(start), str(stop), f'"{text}"')]
    head = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", "2.4", "<exists>", "1"]
    return "\n".join([*head, '"IntervalTier"', '"word"', "0", "2.4", str(len(intervals)), *rows]) + "\n"


SPOKEN = [("The", 0.5, 0.9), ('so-called "end"', 0.9, 1.4), ("naïve", 2.0, 2.4)]


@pytest.mark.parametrize("form", [long_form, short_form])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1"])
def test_both_forms_in_every_encoding_hold_the_same_words(form, encoding, tmp_path):
    raw = form().encode(encoding)
    path = tmp_path / "a.TextGrid"
    path.write_bytes(b"\xfe\xff" + raw if encoding == "utf-16-be" else raw)
    words = textgrid_words(path)
    assert list(words.itertuples(index=False, name=None)) == SPOKEN


def test_phonemes_are_counted_in_the_word_that_holds_their_middle(tmp_path):
    sounds = [(0, 0.5, "sp"), (0.5, 0.7, "DH"), (0.7, 1.0, "AH0"), (2.0, 2.4, "N")]
    second = short_form(sounds).split("1\n", 1)[1].replace('"word"', '"phone"')
    text = short_form().replace("<exists>\n1\n", "<exists>\n2\n") + second
    (tmp_path / "a.TextGrid").write_text(text, encoding="utf-8")
    words = textgrid_words(tmp_path / "a.TextGrid", phones="phone")
    assert words["phonemes"].tolist() == [2, 0, 1]
    assert "phonemes" not in textgrid_words(tmp_path / "a.TextGrid", phones="phones")


def test_tiers_keep_every_interval_and_points_are_left_out(tmp_path):
    (tmp_path / "a.TextGrid").write_text(long_form(), encoding="utf-8")
    tiers = read_textgrid(tmp_path / "a.TextGrid")
    assert list(tiers) == ["phone", "word"]
    assert tiers["word"]["text"].tolist() == [text.replace('""', '"') for _, _, text in INTERVALS]


def test_the_true_textgrid_of_alice_has_2127_words(test_data):
    found = sorted(test_data.rglob("*.TextGrid"))
    if not found:
        pytest.skip("no TextGrid is at hand")
    tiers = read_textgrid(found[0])
    ((_, words),) = [(name, table) for name, table in tiers.items() if len(table) == 2423]
    assert len(words) == 2423
    (name,) = [name for name, table in tiers.items() if table is words]
    assert len(textgrid_words(found[0], name)) == 2127


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text[: text.index("naïve")], "breaks off where a text should be: it is not whole"),
        (lambda text: text.replace('"ooTextFile"', '"something"'), "is not a TextGrid"),
        (
            lambda text: text.replace('"word"', '"tokens"'),
            "has the tiers phone, tokens: say which .* by --events",
        ),
        (
            lambda text: text.replace("xmax = 0.9", "xmax = 0.1"),
            "interval 2 of the tier 'word' ends before it begins",
        ),
        (
            lambda text: text.replace("xmax = 0.9", 'xmax = "x"'),
            "is damaged: '\"x\"' stands where xmax should be",
        ),
        (lambda text: text.replace("size = 7", "size = 700000000"), "is damaged|breaks off"),
        (
            lambda text: (
                text.replace('"The"', '"sp"').replace("naïve", "sp").replace('so-called ""end""', "sp")
            ),
            "no words",
        ),
        (lambda text: text.replace('"IntervalTier"', '"Spectrum"', 1), "a tier is a 'Spectrum'"),
    ],
)
def test_a_broken_textgrid_is_one_line(spoil, message, tmp_path):
    path = tmp_path / "a.TextGrid"
    path.write_text(spoil(long_form()), encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        textgrid_words(path)
    assert "\n" not in str(caught.value)


def test_half_of_a_utf16_file_is_one_line(tmp_path):
    raw = long_form().encode("utf-16")
    (tmp_path / "a.TextGrid").write_bytes(raw[: len(raw) // 2 * 2 - 1])
    with pytest.raises(UserError, match="begins as UTF-16, and is none"):
        textgrid_words(tmp_path / "a.TextGrid")
