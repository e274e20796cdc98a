"""The server: its interface, its pages, and what it refuses."""

import gzip
import http.client
import json
import re
import statistics
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import peewee
import pytest

pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")

from boards import REAL, Server, body, card, declare, document, layout, score, simulated
from starlette.testclient import TestClient

from brodmann.bench.leaderboard import Board, make_app, open_board, parse_submission, write_site
from brodmann.bench.leaderboard.storage import accounts
from brodmann.bench.leaderboard.storage.database import close_board
from brodmann.bench.leaderboard.storage.models import AuditRow, database_models
from brodmann.bench.leaderboard.submission.errors import Refused
from brodmann.bench.leaderboard.web.rate_limit import Rate, sender_of
from brodmann.bench.results.card import Card
from brodmann.bench.results.record import COLUMNS


def new_token(address, name, **options):
    board = open_board(address)
    with board.change(shown=False):
        token = accounts.new_token(accounts.person(name), **options)
    close_board()
    return token


@pytest.fixture
def server(address):
    """A server on an empty board, and tokens of two people."""
    tokens = {name: new_token(address, name) for name in ("ada", "bob")}
    declare(open_board(address))
    close_board()
    served = Server(address, "--writes", 10_000)
    served.tokens = tokens
    yield served
    served.stop()


def said(answer):
    status, _, content = answer
    return status, json.loads(content)


def test_submit_read_and_withdraw(server):
    ada, bob = server.tokens["ada"], server.tokens["bob"]
    content = document(scores=[score(), simulated(raw=0.42)], layouts=[layout()])
    status, taken = server.submit(content, ada)
    assert (status, taken["new"], taken["duplicate"]) == (201, 2, False)
    status, again = server.submit(content, ada)
    assert (status, again["duplicate"], again["submission"]) == (200, True, taken["submission"])
    status, found = said(server.get("/api/v1/models/net-a"))
    assert {one["benchmark"]: one["raw"] for one in found["scores"]} == {
        REAL: 0.3,
        "simulated-cortex.IT-rsa": 0.42,
    }
    assert found["layouts"][0]["clustering"][0]["morans_i"] == 0.5
    status, whole = said(server.get(f"/api/v1/submissions/{taken['submission']}"))
    assert whole == content
    number = found["scores"][0]["id"]
    path = f"/api/v1/scores/{number}/withdraw"
    why = {"content": b'{"reason": "wrong weights"}', "Content_Type": "application/json"}
    assert server.ask("POST", path, **why)[0] == 401
    status, refused = said(server.ask("POST", path, Authorization=f"Bearer {bob}", **why))
    assert status == 403
    assert "another submitter" in refused["error"]
    assert said(server.ask("POST", path, Authorization=f"Bearer {ada}", **why)) == (200, {"withdrawn": 1})
    assert server.ask("POST", path, Authorization=f"Bearer {ada}", **why)[0] == 409
    status, history = said(server.get(f"/api/v1/scores/{number}"))
    assert [one["state"] for one in history["history"]] == ["withdrawn", "current"]
    assert history["state"] == "withdrawn"
    assert history["score"] == found["scores"][0]["score"]  # what is withdrawn is still known
    assert history["provenance"]["left_out"] == {"stimuli without a picture": 2}
    assert history["provenance"]["versions"] == {"brodmann": "0.1.0"}
    assert said(server.get("/api/v1/scores"))[1]["n"] == 1


def test_pages_show_what_was_submitted_at_once(server):
    assert b"No model fits" in server.get("/")[2]
    server.submit(document(scores=[score(), simulated()], layouts=[layout()]), server.tokens["ada"])
    page = server.get("/")[2].decode()
    assert ">net-a</a>" in page
    assert re.search(r'class="c\d+" data-v="0.5" title="0.40 to 0.60, b">0.50<', page)
    assert "simulated data" in page  # a group of its own, not averaged
    model = server.get("/models/net-a")[2].decode()
    assert "<svg" in model
    assert "data:image/png;base64," in model
    assert "0.400 to 0.600" in model
    assert "SIMULATED" in model
    benchmark = server.get(f"/benchmarks/{REAL.lower()}")[2].decode()
    assert "0.600 (rdm, 0.400 to 0.600 over subjects)" in benchmark
    for path in (
        "/compare?a=net-a&b=net-a",
        "/about",
        "/docs",
        "/export/board.csv",
        "/export/board.json",
    ):
        assert server.get(path)[0] == 200
    assert (
        server.get("/export/scores.csv")[2]
        .decode()
        .splitlines()[1]
        .startswith("1,net-a,kriegeskorte2008.hIT-rsa,1")
    )
    for path in (
        "/models/nobody",
        "/benchmarks/none",
        "/compare?a=x&b=y",
        "/export/board.exe",
        "/static/../service.py",
    ):
        status, headers, content = server.get(path)
        assert status == 404
        assert headers["content-type"].startswith("text/html")
        assert b"Traceback" not in content
    assert server.get("/?sort=evil")[0] == 400
    assert server.get("/?page=0")[0] == 422
    assert b"No model fits" in server.get("/?min_parameters=2e3")[2]


def test_filters_and_order(server):
    names = {
        "small": (0.5, 10, True, "ViT"),
        "middle": (0.2, 1000, False, "Net"),
        "large": (0.4, 10**9, None, "Net"),
    }
    cards = [card(n, parameters=p, topographic=t, family=f) for n, (_, p, t, f) in names.items()]
    server.submit(document(cards, [score(n, raw=v[0]) for n, v in names.items()]), server.tokens["ada"])

    def shown(query):
        status, found = said(server.get(f"/api/v1/models?{query}"))
        assert status == 200, found
        page = server.get(f"/?{query}")[2].decode()
        listed = re.findall(r'<th scope="row" class="name"><a href="/models/[^"]+">([^<]+)<', page)
        assert listed == [one["name"] for one in found["models"]]  # page and interface agree
        return listed

    assert shown("") == ["small", "large", "middle"]
    assert shown("order=ascending") == ["middle", "large", "small"]
    assert shown("sort=name") == ["large", "middle", "small"]
    assert shown("sort=parameters&order=descending") == ["large", "middle", "small"]
    assert shown(f"sort={REAL}") == ["small", "large", "middle"]
    assert shown("family=Net") == ["large", "middle"]
    assert shown("topographic=yes") == ["small"]
    assert shown("topographic=no") == ["large", "middle"]
    assert shown("min_parameters=1_000&max_parameters=1e6") == ["middle"]
    assert shown("q=net+LARGE") == ["large"]
    assert shown("region=hIT") == ["small", "large", "middle"]
    ranks = {one["name"]: one["rank"] for one in said(server.get("/api/v1/models?family=Net"))[1]["models"]}
    assert ranks == {"large": 2, "middle": 3}  # among all models, not among those that are shown


HOSTILE = [
    ("oversized", b"[" + b"1," * (5 << 20) + b"1]", {}, 413, "larger than"),
    ("deep", b"[" * 200_000, {}, 400, "recursion"),
    ("not JSON", b"<xml/>", {}, 400, "Invalid JSON"),
    ("a form", b"a=b", {"Content_Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
    ("no kind", b"{}", {"Content_Type": ""}, 415, "application/json"),
    (
        "another encoding",
        b"{}",
        {"Content_Type": "application/json; charset=utf-16"},
        415,
        "application/json",
    ),
    ("compressed", gzip.compress(b"{}"), {"Content_Encoding": "gzip"}, 415, "not compressed"),
    ("NaN", body(document()).replace(b'"raw": 0.3', b'"raw": NaN'), {}, 400, "raw"),
    ("infinite", body(document()).replace(b'"raw": 0.3', b'"raw": 1e999'), {}, 400, "raw"),
    ("script", body(document([card(title="<script>alert(1)</script>")])), {}, 400, "looks like markup"),
    ("turned text", body(document([card(title="a\u202eb")])), {}, 400, "U+202E"),
    ("homoglyph", body(document([card("n\u0435t-a")], [score("n\u0435t-a")])), {}, 400, "identifier"),
    ("wrong digest", body(document(digest="0" * 64)), {}, 400, "digest does not match"),
    ("forged score", body(document(scores=[score(score=0.99)])), {}, 400, "does not follow"),
    ("unknown version", body(document(scores=[score(benchmark_version=7)])), {}, 400, "up to version 2"),
]


def test_hostile_submissions_are_refused_with_their_reason(server):
    ada, closed = server.tokens["ada"], []
    for name, content, headers, expected, reason in HOSTILE:
        sent = {"Content_Type": "application/json", "Authorization": f"Bearer {ada}"} | headers
        try:
            status, answered, answer = server.ask("POST", "/api/v1/submissions", content, **sent)
        except OSError:  # the server may close before all of what is too much was sent
            closed.append(name)
            continue
        assert status == expected, (name, status, answer)
        assert reason in json.loads(answer)["error"], name
        assert "<script" not in answer.decode()
        assert answered["content-type"] == "application/json"
    assert set(closed) <= {"oversized"}
    assert said(server.get("/api/v1/scores"))[1]["n"] == 0


def test_tokens(server, address):
    content = document()
    for token in ("", "x", "brd_0_0", server.tokens["ada"][:-2], "brd_" + "0" * 16 + "_" + "A" * 43):
        status, answer = server.submit(content, token)
        assert (status, "not valid" in answer["error"]) == (401, True)
    assert server.submit(content, server.tokens["bob"])[0] == 201
    status, answer = server.submit(document(scores=[score(raw=0.1)]), server.tokens["ada"])
    assert (status, "belongs to another submitter" in answer["error"]) == (403, True)
    status, answer = server.submit(content, server.tokens["ada"])  # what bob sent, sent by somebody else
    assert status == 409
    public = server.tokens["bob"].split("_")[1]
    board = open_board(address)
    with board.change(shown=False):
        accounts.revoke_token(public)
    close_board()
    status, answer = server.submit(document(scores=[score(raw=0.1)]), server.tokens["bob"])
    assert (status, "not valid" in answer["error"]) == (401, True)


def test_every_answer_has_safe_headers(server):
    for path in (
        "/",
        "/models/nobody",
        "/api/v1/models",
        "/api/v1/none",
        "/static/board.js",
        "/nowhere",
    ):
        headers = server.get(path)[1]
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers
    page = server.get("/")[2].decode()
    assert "style=" not in page
    assert not re.search(r"<script(?! src)", page)
    assert " on" + "click" not in page


def test_no_text_of_the_database_becomes_markup(tmp_path):
    """Pages escape what stands in the tables, however it came there."""
    board = open_board(tmp_path / "board.sqlite")
    content = document(scores=[score(), simulated()], layouts=[layout()])
    board.submit(parse_submission(body(content)), body(content).decode(), board.person("ada"))
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    with board.change():
        for table, columns in {
            "brainscore_model": ["name"], "brainscore_modelmeta": ["architecture", "model_family", "extra_notes"],
            "brainscore_user": ["email"],
            "brodmann_benchmark": ["dataset", "region", "metric", "description", "unit", "license", "citation"],
            "brodmann_layer": ["layer"],
            "brodmann_event": ["reason"], "brodmann_layout": ["layer"], "brodmann_submission": ["title"],
        }.items():  # fmt: skip
            for column in columns:
                database_models.database_proxy.execute_sql(f"UPDATE {table} SET {column} = ?", (evil,))
        for table, column, known in (
            ("brodmann_model", "card", dict.fromkeys(Card.model_fields, evil)),
            (
                "brodmann_score",
                "shown",
                dict.fromkeys(COLUMNS, evil) | dict.fromkeys(("raw", "low", "high", "p")),
            ),
        ):
            database_models.database_proxy.execute_sql(
                f"UPDATE {table} SET {column} = ?", (json.dumps(known),)
            )
        report = json.dumps(layout()).replace("face", evil.replace('"', ""))
        database_models.database_proxy.execute_sql("UPDATE brodmann_layout SET report = ?", (report,))
    close_board()
    server = Server(tmp_path / "board.sqlite")
    try:
        benchmark = f"/benchmarks/{REAL.lower()}"
        for path in ("/", "/models/net-a", benchmark, "/compare?a=net-a&b=net-a", "/about"):
            status, _, content = server.get(path)
            assert status == 200, path
            page = content.decode()
            assert "alert(1)" in page or path == "/about", path
            assert "<script>alert" not in page
            assert "<img src=x" not in page
            assert 'href="javascript' not in page
    finally:
        server.stop()
    board = open_board(tmp_path / "board.sqlite")
    for path in write_site(board, tmp_path / "site"):
        if path.suffix == ".html":
            assert "<script>alert" not in path.read_text()
            assert "<img src=x" not in path.read_text()
    close_board()


def test_asking_on_over_one_connection_is_not_slower(server):
    """Answers do not wait for an acknowledgement (Nagle's algorithm), which would cost 40 ms each."""

    def took(connection):
        began = time.perf_counter()
        connection.request("GET", "/health")
        connection.getresponse().read()
        return time.perf_counter() - began

    def new():
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        found = took(connection)
        connection.close()
        return found

    kept = http.client.HTTPConnection("127.0.0.1", server.port)
    pairs = [(took(kept), new()) for _ in range(30)]
    kept.close()
    assert statistics.median(a / b for a, b in pairs) < 3


def test_a_fault_is_said_and_not_shown(tmp_path, monkeypatch):
    """503 where the database is silent, 500 where the program is wrong; the reason stays in the log."""
    app = make_app(tmp_path / "board.sqlite")
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/").status_code == 200
        for error, status, said in (
            (peewee.OperationalError("secret host down"), 503, "database does not answer"),
            (RuntimeError("secret state"), 500, "could not answer"),
        ):

            def fails(*_, error=error):
                raise error

            with monkeypatch.context() as patch:
                patch.setattr(Board, "revision", fails)
                time.sleep(0.3)  # the revision is looked up again
                for path in ("/", "/api/v1/models", "/health"):
                    answer = client.get(path)
                    assert answer.status_code == status, path
                    assert said in answer.json()["error"]
                    assert "secret" not in answer.text
        time.sleep(0.3)
        assert client.get("/").status_code == 200


def test_pages_are_compressed_and_known_again(server):
    server.submit(document(), server.tokens["ada"])
    _, headers, plain = server.get("/")
    _, zipped, packed = server.get("/", Accept_Encoding="gzip")
    assert zipped["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == plain
    assert server.get("/", If_None_Match=headers["etag"])[0] == 304
    server.submit(document([card("net-b")], [score("net-b")]), server.tokens["ada"])
    assert server.get("/", If_None_Match=headers["etag"])[0] == 200


def test_nobody_stays_signed_in(server):
    """No cookie and no form that another site could send: only a token in a request's head changes the board."""
    number = server.submit(document(), server.tokens["ada"])[1]["submission"]
    for path in ("/", "/about", f"/benchmarks/{REAL.lower()}", "/models/net-a", "/api/v1/models"):
        status, headers, content = server.get(path)
        assert status == 200
        assert "set-cookie" not in headers
        assert b'method="post"' not in content.lower()
    path, token = f"/api/v1/submissions/{number}/withdraw", server.tokens["ada"]
    for cookie in (f"brodmann_session={token}", f"token={token}", f"Authorization=Bearer {token}"):
        status, _, _ = server.ask(
            "POST", path, b'{"reason": ""}', Content_Type="application/json", Cookie=cookie
        )
        assert status == 401
    assert (
        server.ask("POST", "/account", b"token=x", Content_Type="application/x-www-form-urlencoded")[0] == 404
    )
    assert said(server.get("/api/v1/scores"))[1]["n"] == 1


def test_a_submitter_finds_what_they_submitted_and_withdraws_it(server, address):
    ada, bob = ({"Authorization": f"Bearer {server.tokens[name]}"} for name in ("ada", "bob"))
    assert server.get("/api/v1/submissions")[0] == 401
    content = document(title="first")
    number = server.submit(content, server.tokens["ada"])[1]["submission"]
    (found,) = said(server.get("/api/v1/submissions", **ada))[1]["submissions"]
    assert (found["id"], found["title"], found["digest"], found["n_current"]) == (
        number, "first", content["digest"], 1,
    )  # fmt: skip
    assert said(server.get("/api/v1/submissions", **bob))[1]["submissions"] == []
    path, kind = f"/api/v1/submissions/{number}/withdraw", {"Content_Type": "application/json"}
    assert server.ask("POST", path, b'{"reason": "because"}', **bob, **kind)[0] == 403
    assert server.ask("POST", path, b'{"reason": "<script>"}', **ada, **kind)[0] == 422
    assert server.ask("POST", path, b'{"reason": "because"}', **ada, **kind)[0] == 200
    assert said(server.get("/api/v1/submissions", **ada))[1]["submissions"][0]["n_current"] == 0
    assert said(server.get("/api/v1/scores"))[1]["n"] == 0
    board = open_board(address)
    with board.reading():
        actions = [row.action for row in AuditRow.select().order_by(AuditRow.id)]
    assert actions == [
        "token made", "token made", "declared", "declared", "submitted", "submission withdrawn",
    ]  # fmt: skip


def test_buckets_fill_again():
    now = [0.0]
    rate = Rate(60, "requests", clock=lambda: now[0])
    for _ in range(60):
        rate.take("a")
    with pytest.raises(Refused, match="at most 60 a minute") as refused:
        rate.take("a")
    assert refused.value.status == 429
    rate.take("b")
    now[0] = 2.0
    rate.take("a")
    rate.take("a")
    with pytest.raises(Refused):
        rate.check("a")
    now[0] = 1e6
    for _ in range(60):
        rate.take("a")
    with pytest.raises(Refused):
        rate.take("a")


def test_a_rate_costs_the_same_for_200_000_senders():
    """Constant time and bounded memory, however many there are; and who asks too much is still refused."""

    def seconds_each(rate, names):
        rounds = []
        for _ in range(5):
            began = time.perf_counter()
            for name in names:
                rate.take(name)
            rounds.append((time.perf_counter() - began) / len(names))
        return min(rounds)

    few, many = (Rate(10**9, "requests") for _ in range(2))
    few.take("a")
    tracemalloc.start()
    for i in range(200_000):
        many.take(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20e6
    new = [f"11.0.{i >> 8}.{i & 255}" for i in range(2_000)]
    known = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(198_000, 200_000)]
    usual = seconds_each(few, new)
    slowest = max(seconds_each(many, known), seconds_each(many, new))
    assert slowest < 5 * usual, (usual, slowest)
    strict = Rate(2, "requests")
    for i in range(60_000):
        strict.take(f"s{i}")
        if i % 20_000 == 0 and i:
            with pytest.raises(Refused):
                for _ in range(3):
                    strict.take("greedy")


def test_one_network_of_a_subscriber_is_one_sender():
    assert sender_of(("192.0.2.7", 5)) == "192.0.2.7"
    assert sender_of(("2001:db8:1:2::1", 5)) == sender_of(("2001:db8:1:2:ffff::9", 6))
    assert sender_of(("2001:db8:1:2::1", 5)) != sender_of(("2001:db8:1:3::1", 5))
    assert sender_of(("::ffff:192.0.2.7", 5)) == "192.0.2.7"
    assert len(sender_of(("x" * 9_000, 5))) <= 64
    assert sender_of(None) == "nobody"


def test_x_forwarded_for_counts_only_where_a_proxy_is_declared(tmp_path):
    """Whoever writes another address into every request is still one sender."""

    def answered(*words):
        server = Server(tmp_path / "board.sqlite", "--reads", 20, *words)
        try:
            return [server.get("/health", X_Forwarded_For=f"198.51.100.{i}")[0] for i in range(60)]
        finally:
            server.stop()

    assert answered().count(429) >= 35
    assert answered("--proxy", "203.0.113.0/24").count(429) >= 35  # another one
    assert set(answered("--proxy", "127.0.0.1")) == {200}


def test_a_proxy_is_an_address(tmp_path):
    done = subprocess.run(
        [
            sys.executable, "-m", "brodmann.bench", "leaderboard", "serve", "--proxy", "nginx",
            "--board", str(tmp_path / "board.sqlite"),
        ],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--proxy takes an address or a network, e.g. 127.0.0.1, not 'nginx'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("address", "strict"), [("https://board.example.org", True), ("http://127.0.0.1", False)]
)
def test_https_stays_https(tmp_path, address, strict):
    """Where people reach the board by https, browsers are told to stay with it, whatever is before the server."""
    with TestClient(make_app(tmp_path / "board.sqlite", address=address)) as client:
        for path in ("/", "/api/v1/models", "/nowhere"):
            assert ("strict-transport-security" in client.get(path).headers) is strict


def test_too_much_is_refused(tmp_path):
    address = tmp_path / "board.sqlite"
    token = new_token(address, "ada")
    server = Server(address, "--writes", 3, "--reads", 80)
    try:
        statuses = [server.submit(document([card(f"n{i}")], [score(f"n{i}")]), token)[0] for i in range(6)]
        assert statuses == [201, 201, 201, 429, 429, 429]
        guesses = [server.submit(document(), f"brd_{i:016x}_{'A' * 43}")[0] for i in range(25)]
        assert guesses == [401] * 20 + [429] * 5
        assert {server.get("/")[0] for _ in range(80)} == {200, 429}
        assert server.get("/")[1]["retry-after"] == "10"
    finally:
        server.stop()


def test_schemathesis_finds_no_fault(server, tmp_path):
    """Whatever is asked by the schema, or against it, the server answers as the schema says, and never with 5xx."""
    content = document(scores=[score(), simulated()], layouts=[layout()])
    assert server.submit(content, server.tokens["ada"])[0] == 201
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"{server.url}/openapi.json", "--checks", checks,
            "--header", f"Authorization: Bearer {server.tokens['ada']}", "--max-examples", "40", "--seed", "1",
            "--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all", "--no-color",
        ],
        capture_output=True, text=True, cwd=tmp_path, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"Test cases:\n\s+[\d,]+ generated", done.stdout) or "generated" in done.stdout
    print(done.stdout[-900:])


def test_the_schema_names_what_a_submission_is(server):
    found = json.loads(server.get("/openapi.json")[2])
    assert {"Submission", "Card", "ScoreRecord", "Layout"} <= set(found["components"]["schemas"])
    assert "/api/v1/submissions" in found["paths"]
