"""A describer of a user's: what is asked, and every way in which an answer can be unsound."""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from brodmann.bench.studies.describer import LONGEST, ask, label_text, read_labels
from brodmann.errors import UserError

QUESTIONS = [
    {
        "id": i,
        "top": [{"tokens": [" the", " cat"], "activations": [None, 1.5]}],
        "random": [],
        "promoted": [" a"],
    }
    for i in (3, 12, 40)
]
HONEST = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    word = asked["top"][0]["tokens"][-1]
    print(json.dumps({"id": asked["id"], "text": "fires on" + word, "predict": {word: 2.0}}), flush=True)
"""


@pytest.fixture
def program(tmp_path):
    """A describer from its source."""

    def made(source):
        path = tmp_path / "a describer.py"
        path.write_text(source)
        return f"{sys.executable} '{path}'"

    return made


def test_each_is_asked_once_and_answered(program):
    found = ask(program(HONEST), QUESTIONS)
    assert set(found) == {3, 12, 40}
    assert found[12].text == "fires on cat"
    assert found[12].predict == {" cat": 2.0}


def test_answers_may_come_in_another_order_and_after_all_questions(program):
    source = """
import json, sys
for one in [json.loads(line) for line in sys.stdin][::-1]:
    print(json.dumps({"id": one["id"], "text": str(one["id"])}))
"""
    found = ask(program(source), QUESTIONS)
    assert [found[i].text for i in (3, 12, 40)] == ["3", "12", "40"]
    assert found[3].predict is None


def test_more_questions_than_a_pipe_holds_do_not_lock(program):
    many = [{"id": i, "top": [{"tokens": [" x" * 400, " y"], "activations": [0, 1.0]}]} for i in range(800)]
    assert len(ask(program(HONEST), many, seconds=30)) == 800


def answers(body):
    return f"import json, sys\nasked = [json.loads(line)['id'] for line in sys.stdin]\n{body}"


ONE = "print(json.dumps({'id': i, 'text': 'x'}))"
UNSOUND = {
    "garbage": ("print('Sure! Here is the description')", "no JSON object"),
    "a list": ("print([1])", "no JSON object"),
    "not UTF-8": (r"sys.stdout.buffer.write(b'\xff\xfe\n')", "no JSON object"),
    "deep": ("print('[' * 100000)", "no JSON object"),
    "no text": ("print(json.dumps({'id': 3}))", "has no text"),
    "a number as text": ("print(json.dumps({'id': 3, 'text': 5}))", "has no text"),
    "twice": (f"for i in [3, 3]: {ONE}", "answered twice about 3"),
    "another": (f"for i in [5]: {ONE}", "'5', which was not asked"),
    "a text as id": (f"for i in ['3']: {ONE}", "which was not asked"),
    "true as id": (f"for i in [True]: {ONE}", "which was not asked"),
    "some": (f"for i in asked[:2]: {ONE}", "2 of 3: 40 is missing"),
    "none": ("", "0 of 3"),
    "too many": (f"for i in asked + [41]: {ONE}", "more than the 3 answers"),
    "too long": ("print(json.dumps({'id': 3, 'text': 'x' * 501}))", "501 letters"),
    "far too long": ("print(json.dumps({'id': 3, 'text': 'x' * (1 << 21)}))", "longer than"),
    "endless": ("while True: sys.stdout.write('x' * 65536)", "longer than"),
    "empty": ("print(json.dumps({'id': 3, 'text': ' \\n '}))", "is empty"),
    "NaN": ('print(\'{"id": 3, "text": "x", "predict": {"a": NaN}}\')', "not a finite number"),
    "infinity": ('print(\'{"id": 3, "text": "x", "predict": {"a": 1e999}}\')', "not a finite number"),
    "huge": ('print(\'{"id": 3, "text": "x", "predict": {"a": 1\' + \'0\' * 400 + \'}}\')', "not a finite"),
    "text as prediction": (
        "print(json.dumps({'id': 3, 'text': 'x', 'predict': {'a': '1'}}))",
        "not a finite",
    ),
    "true as prediction": (
        "print(json.dumps({'id': 3, 'text': 'x', 'predict': {'a': True}}))",
        "not a finite",
    ),
    "a list of predictions": ("print(json.dumps({'id': 3, 'text': 'x', 'predict': [1]}))", "is a table"),
    "many predictions": (
        "print(json.dumps({'id': 3, 'text': 'x', 'predict': {str(i): 1 for i in range(10001)}}))",
        "10000 at the most",
    ),
    "dies": (f"for i in asked[:1]: {ONE}\nsys.exit('it is \\x1b[31mbroken')", "status 1: it is \\\\x1b"),
    "dies after all": (f"for i in asked: {ONE}\nsys.exit(3)", "status 3"),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_an_unsound_answer_is_one_line(program, case):
    body, message = UNSOUND[case]
    with pytest.raises(UserError, match=message) as caught:
        ask(program(answers(body)), QUESTIONS, seconds=20)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(60)",
        'import sys, time\nprint(\'{"id": 3, "text": "x"}\', flush=True)\ntime.sleep(60)',
        answers(
            f"for i in asked: {ONE}\nsys.stdout.flush()\nsys.stdout.close()\nimport time\ntime.sleep(60)"
        ),
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])",
        "while True: print()",
    ],
    ids=["silent", "after one", "after all", "its child", "empty lines"],
)
def test_one_that_hangs_is_stopped(program, source):
    began = time.monotonic()
    with pytest.raises(UserError, match=r"silent for 1|did not end within 1"):
        ask(program(source), QUESTIONS, seconds=1)
    assert time.monotonic() - began < 10


def test_what_it_started_ends_with_it(program, tmp_path):
    beat = tmp_path / "beat"
    child = f"import time\\nfor i in range(600):\\n open({str(beat)!r}, 'a').write('x'); time.sleep(.05)"
    source = (
        f'import subprocess, sys, time\nsubprocess.Popen([sys.executable, "-c", "{child}"])\ntime.sleep(60)'
    )
    with pytest.raises(UserError, match="silent"):
        ask(program(source), QUESTIONS, seconds=1)
    time.sleep(0.3)
    size = beat.stat().st_size
    time.sleep(0.5)
    assert beat.stat().st_size == size > 0


@pytest.mark.parametrize("command", ["", "   ", "no-such-program --x", "'unclosed", "/"])
def test_a_command_that_is_none(command):
    with pytest.raises(UserError, match="cannot be run"):
        ask(command, QUESTIONS)


def test_what_a_describer_is_called_by_is_not_told_on():
    with pytest.raises(UserError) as caught:
        ask("/nowhere/describe --key sk-1", QUESTIONS)
    assert "sk-1" not in str(caught.value)
    with pytest.raises(UserError) as caught:
        ask("http://me:sk-1@127.0.0.1:9/sk-1?key=sk-1", QUESTIONS, seconds=5)
    assert "127.0.0.1:9" in str(caught.value)
    assert "sk-1" not in str(caught.value)


def test_no_shell_reads_the_command(tmp_path):
    mark = tmp_path / "mark"
    with pytest.raises(UserError):
        ask(f"{sys.executable} -c 'import sys' ; touch {mark}", QUESTIONS, seconds=10)
    with pytest.raises(UserError):
        ask(f"echo $(touch {mark})", QUESTIONS, seconds=10)
    assert not mark.exists()


@pytest.fixture
def server():
    """A describer behind an address: what it was sent, and what it answers."""
    seen, say = [], {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(asked)
            status, body, headers = say.get("answer", lambda one: (200, {"id": one["id"], "text": "x"}, {}))(
                asked
            )
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_):
            pass

    one = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=one.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{one.server_port}/describe", seen, say
    one.shutdown()
    one.server_close()


def test_an_address_is_asked_one_by_one(server):
    address, seen, _ = server
    assert {i: one.text for i, one in ask(address, QUESTIONS).items()} == {3: "x", 12: "x", 40: "x"}
    assert seen == QUESTIONS


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda one: (500, b"", {}), "answered 500"),
        (lambda one: (302, b"", {"Location": "http://127.0.0.1:1/elsewhere"}), "answered 302"),
        (lambda one: (200, b"<html>", {}), "no JSON object"),
        (lambda one: (200, b"x" * (1 << 21), {}), "longer than"),
        (lambda one: (200, {"id": 3, "text": "x"}, {}), "twice about 3"),
        (lambda one: time.sleep(2) or (200, b"", {}), "cannot be reached"),
    ],
)
def test_an_address_that_answers_unsoundly(server, answer, message):
    address, seen, say = server
    say["answer"] = answer
    with pytest.raises(UserError, match=message):
        ask(address, QUESTIONS, seconds=1)
    assert seen


def test_an_address_where_nobody_is():
    with pytest.raises(UserError, match="cannot be reached"):
        ask("http://127.0.0.1:9/x", QUESTIONS, seconds=2)


def test_labels_are_plain_texts_on_one_line():
    hostile = "</script><script>\x1b[31m\u202eevil\u2028\n\ttab\x00\ud800\u200b"
    assert label_text(hostile, "it") == "</script><script>[31mevil tab"
    assert len(label_text("é" * LONGEST, "it")) == LONGEST
    with pytest.raises(UserError, match="501 letters"):
        label_text("é" * (LONGEST + 1), "it")


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_labels_of_features_or_units(tmp_path):
    path = written(
        tmp_path, 'feature,label,predict\n3,"cats, and dogs","{"" cat"": 1.5}"\n1, the sea ,\n', "utf-8-sig"
    )
    found = read_labels(path, {"unit": 5, "feature": 5})
    assert list(found) == ["feature"]
    assert (found["feature"][3].text, found["feature"][3].predict) == ("cats, and dogs", {" cat": 1.5})
    assert (found["feature"][1].text, found["feature"][1].predict) == ("the sea", None)
    assert read_labels(written(tmp_path, "unit,label\n4,x\n"), {"unit": 5})["unit"][4].text == "x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("number,label\n1,x\n", "feature,label or unit,label"),
        ("feature,name\n1,x\n", "feature,label or unit,label"),
        ("feature,unit,label\n1,1,x\n", "feature,label or unit,label"),
        ("", "feature,label or unit,label"),
        ("feature,feature,label\n1,2,x\n", "feature,label or unit,label"),
        ("feature,label\n5,x\n", "row 2: there is no feature '5'"),
        ("feature,label\n-1,x\n", "there is no feature '-1'"),
        ("feature,label\n1.0,x\n", "there is no feature"),
        ("feature,label\n٣,x\n", "there is no feature"),
        ("feature,label\n1,x\n1,y\n", "row 3: feature 1 has a label already"),
        ("feature,label\n1,\n", "the label is empty"),
        ("feature,label\n1\n", "the label is empty"),
        (f"feature,label\n1,{'x' * 501}\n", "501 letters"),
        (f"feature,label\n1,{'x' * 200000}\n", "cannot be read as labels"),
        ('feature,label\n1,"x\n', "cannot be read as labels"),
        ("feature,label,predict\n1,x,nonsense\n", "no JSON table"),
        ('feature,label,predict\n1,x,"{""a"": NaN}"\n', "not a finite number"),
    ],
)
def test_labels_that_are_none(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_labels(written(tmp_path, text), {"unit": 5, "feature": 5})


def test_a_file_that_is_no_text_or_is_not_there(tmp_path):
    path = tmp_path / "labels.csv"
    with pytest.raises(UserError, match="cannot be read as labels"):
        read_labels(path, {"feature": 5})
    path.write_bytes(b"feature,label\n1,\xff\xfe\n")
    with pytest.raises(UserError, match="cannot be read as labels"):
        read_labels(path, {"feature": 5})


def test_labels_of_what_is_not_described(tmp_path):
    with pytest.raises(UserError, match="labels units, which are not described here"):
        read_labels(written(tmp_path, "unit,label\n1,x\n"), {"feature": 5})
