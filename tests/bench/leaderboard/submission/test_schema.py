"""What may be submitted: the form of a document, and the hostile ones."""

import json

import pytest
from boards import body, card, document, layout, score

from brodmann.bench.leaderboard import parse_submission
from brodmann.bench.leaderboard.submission.schema import MAX_BYTES, digest_of_document
from brodmann.errors import UserError

SCRIPT = "<script>alert(1)</script>"


CELLS = {
    "contrast": "c",
    "morans_i": 0,
    "null_mean": 0,
    "map": {"rows": 2, "columns": 3, "values": [1.0] * 5},
}


def with_changed(part, **changed):
    """A document with other entries in its card, score or layout, and a digest that fits."""
    parts = {"card": card(), "score": score(), "layout": layout()}
    parts[part] |= changed
    return document([parts["card"]], [parts["score"]], [parts["layout"]])


def text_places():
    """Every place of a document that takes a text: its path, and a function that puts one there."""
    whole = document([card(title="t", architecture="t", training_data="t", license="t", citation="t", url="https://a.org",
                           notes="t")], [score(data_license="t", bibtex="t")], [layout()], title="t")  # fmt: skip
    places = []

    def walk(value, path):
        if isinstance(value, dict):
            for key, item in value.items():
                walk(item, (*path, key))
                if path[-1:] in (("layers",), ("left_out",), ("methods",), ("versions",)):
                    places.append((*path, key, "KEY"))
        elif isinstance(value, list):
            for i, item in enumerate(value):
                walk(item, (*path, i))
        elif isinstance(value, str) and path != ("digest",):
            places.append(path)

    walk(whole, ())
    return whole, places


WHOLE, PLACES = text_places()


def put(path, text):
    made = json.loads(json.dumps(WHOLE))
    here = made
    key = path[-2] if path[-1] == "KEY" else path[-1]
    for step in path[: -2 if path[-1] == "KEY" else -1]:
        here = here[step]
    if path[-1] == "KEY":
        here[text] = here.pop(key)
    else:
        here[key] = text
    made["digest"] = digest_of_document(made)
    return made


def test_a_document_that_fits():
    found = parse_submission(body(WHOLE))
    assert found.scores[0].layers == {"a": pytest.approx(0.2), "b": 0.3, "c": pytest.approx(0.25)}
    assert found.layouts[0].clustering[0].map.values[2] is None


def test_there_are_many_places_for_texts():
    assert len(PLACES) > 40


@pytest.mark.parametrize("path", PLACES, ids=str)
@pytest.mark.parametrize(
    "text", [SCRIPT, "a\u202eb", "zero\u200bwidth", "nul\0", "<img src=x onerror=alert(1)>"]
)
def test_a_script_or_an_invisible_sign_is_refused_in_every_text(path, text):
    with pytest.raises(UserError, match="does not fit") as refused:
        parse_submission(body(put(path, text)))
    assert "<" not in str(refused.value)
    assert str(refused.value).isascii()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["score", "raw", "ceiling", "p", "ci", "layers", "raw_values"])
def test_numbers_that_are_none(number, field):
    marked = {"ci": [0.0, 987654.5], "layers": {"b": 987654.5}, "raw_values": [987654.5]}.get(field, 987654.5)
    text = json.dumps(document(scores=[score() | {field: marked}])).replace("987654.5", number)
    with pytest.raises(UserError, match="does not fit"):
        parse_submission(text.encode())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "EOF"),
        (b"hello", "Invalid JSON"),
        (b"\xff\xfe{}", "Invalid JSON|invalid"),
        (b"[" * 100_000, "recursion"),
        (b'{"models": ' + b'{"a": ' * 5000 + b"1" + b"}" * 5001, "recursion"),
        (b"[]", "valid dictionary|object"),
        (b"{}", "format: Field required"),
        (b'{"format": 1, "models": [], "scores": [], "digest": ""}', "at least 1 item"),
        (b" " * (MAX_BYTES + 1), "more than"),
    ],
    ids=["empty", "text", "bytes", "deep list", "deep object", "list", "nothing", "no models", "oversized"],
)
def test_what_is_no_document(content, said):
    with pytest.raises(UserError, match=said) as refused:
        parse_submission(content)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (document(digest="0" * 64), "digest does not match"),
        (document() | {"title": "changed on the way"}, "digest does not match"),
        (document(extra=1), "extra: Extra inputs"),
        (document(format=2), "format"),
        (with_changed("card", identifier="../../etc/passwd"), "models.0.identifier"),
        (with_changed("card", identifier="net\u0430"), "models.0.identifier"),  # a Cyrillic a
        (with_changed("card", identifier="x" * 200), "models.0.identifier"),
        (with_changed("card", parameters=-1), "models.0.parameters"),
        (with_changed("card", parameters="1000"), "valid integer"),
        (with_changed("card", url="javascript:alert(1)"), "models.0.url"),
        (with_changed("card", url='https://a.org/" onclick="x'), "models.0.url"),
        (with_changed("card", topographic="yes"), "valid boolean"),
        (with_changed("score", model="net-b"), "no card for the model 'net-b'"),
        (with_changed("score", p=0), "scores.0.p"),
        (with_changed("score", raw="1.5"), "scores.0.raw"),
        (with_changed("score", score=11), "scores.0.score"),
        (with_changed("score", n_stimuli=10**30), "scores.0.n_stimuli"),
        (with_changed("score", ci=[0.1]), "scores.0.ci"),
        (with_changed("score", layers={}), "scores.0.layers"),
        (with_changed("score", methods={"a": {"b": "c"}}), "scores.0.methods"),
        (with_changed("layout", n_units=True), "layouts.0.n_units"),
        (with_changed("layout", clustering=[CELLS]), "2 x 3 cells and 5 values"),
        (with_changed("score", n_stimuli=2**31), "scores.0.n_stimuli"),
        (document([card(), card()]), "two cards"),
        (document([card(), card("net-b")]), "a card but no score"),
        (document(scores=[score(), score(raw=0.2)]), "twice on one benchmark"),
        (document(scores=[score()] * 2001), "scores"),
    ],
)
def test_documents_that_do_not_fit(content, said):
    with pytest.raises(UserError, match=said):
        parse_submission(body(content))


def test_of_two_entries_of_one_name_the_digest_is_of_what_counts():
    """JSON lets a name stand twice; what is checked and what is kept are the same."""
    text = json.dumps(document()).replace('"title": ""', '"title": "first", "title": ""')
    assert parse_submission(text.encode()).title == ""
    text = json.dumps(document()).replace('"title": ""', '"title": "", "title": "second"')
    with pytest.raises(UserError, match="digest"):
        parse_submission(text.encode())
