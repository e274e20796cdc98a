"""From a run to a board: the command, the function, and what is said when it does not work."""

import csv
import http.server
import json
import socket
import threading

import pytest

pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")

import boards
from boards import Server
from command_line import run_brodmann

import brodmann
from brodmann.bench.leaderboard import gathered, open_board
from brodmann.bench.leaderboard.storage import accounts
from brodmann.bench.leaderboard.storage.database import close_board
from brodmann.bench.leaderboard.storage.snapshot import read_snapshot
from brodmann.bench.leaderboard.submission.schema import digest_of_document
from brodmann.bench.leaderboard.submit import renamed, send, withdraw
from brodmann.bench.metrics.registries import METRICS
from brodmann.errors import UserError


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two twins and a baseline on three kinds of benchmark, and a layout."""
    folder = tmp_path_factory.mktemp("runs")
    for model in ("twin-vision-topographic", "twin-vision-baseline"):
        brodmann.score(
            model, "simulated-cortex.IT-rsa", run=folder / "run", n_bootstraps=50, n_permutations=19
        )
    for benchmark in ("simulated-cortex.V1-ridge", "simulated-cortex.V1-pls"):
        brodmann.score("pixels", benchmark, run=folder / "run", n_bootstraps=20, n_permutations=19)
    done = run_brodmann(
        "analyze", "twin-vision-topographic", "--layer", "layer4.0.conv1", "--permutations", 99, "--contrast",
        "face,place", "--folder", folder / "layouts",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def state(address):
    board = open_board(address)
    revision = board.revision()
    with board.reading():
        found = read_snapshot(revision)
    close_board()
    return found


def test_a_run_becomes_a_board_in_one_command(runs, tmp_path):
    board = tmp_path / "board.sqlite"
    cards = tmp_path / "cards.toml"
    cards.write_text('[pixels]\nfamily = "baseline"\ntraining_data = "none"\nnotes = "luminance"\n')
    words = (
        "submit",
        runs / "run",
        runs / "layouts",
        "--card",
        cards,
        "--title",
        "first",
        "--to",
        board,
        "--as",
        "ada",
    )
    dry = run_brodmann(*words, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "nothing was sent" in dry.stdout
    assert not board.exists()
    done = run_brodmann(*words, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["new"] == 4
    again = run_brodmann(*words)
    assert "it counts once" in again.stdout
    now = state(board)
    models = {one.name: one for one in now.models.values()}
    assert models["twin-vision-topographic"].topographic is True
    assert models["twin-vision-baseline"].topographic is False
    assert models["twin-vision-topographic"].parameters > 100_000
    assert (models["pixels"].family, models["pixels"].owner, models["pixels"].notes) == (
        "baseline",
        "ada",
        "luminance",
    )
    layout = now.layouts[models["twin-vision-topographic"].id][0]
    assert layout.morans_i > 0.5
    assert layout.report["clustering"][0]["map"]["rows"] == 14
    stored = {(r["model"], r["benchmark"]): r for r in brodmann.compare([runs / "run"]).records}
    for (model, benchmark), one in now.scores.items():
        record = stored[now.models[model].name, now.benchmarks[benchmark].identifier]
        assert (one.value, one.raw, one.layer) == (record["score"], record["raw"], record["layer"])
        assert [one.low, one.high] == record["ci"]
    shown = run_brodmann("leaderboard", "show", "--board", board, "--json")
    assert {one["name"] for one in json.loads(shown.stdout)["models"]} == set(models)
    done = run_brodmann("leaderboard", "export", tmp_path / "site", "--board", board)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "site" / "export" / "vision" / "scores.csv").open() as stream:
        assert {row["model"] for row in csv.DictReader(stream)} == set(models)
    done = run_brodmann("leaderboard", "withdraw", 1, "--board", board, "--as", "ada", "--reason", "a try")
    assert "withdrawn 4 scores" in done.stdout
    assert state(board).scores == {}


def test_a_score_of_every_metric_of_layers_is_taken(tmp_path):
    """What a board computes again is what each metric computed."""
    n = 0
    of_layers = [
        name for name, card in METRICS.items() if (card.reads, card.form) == ("activations", "responses")
    ]
    for metric in of_layers:
        if not metric.startswith("language"):
            brodmann.score(
                "pixels",
                f"simulated-cortex.IT-{metric}",
                run=tmp_path / "run",
                n_bootstraps=0,
                n_permutations=0,
            )
            n += 1
    for metric in ("ridge", "language_linear"):  # language_ridge needs stories
        benchmark = f"simulated-cortex-language.language-{metric}"
        brodmann.score(
            "word-length-frequency", benchmark, run=tmp_path / "run", n_bootstraps=0, n_permutations=0
        )
        n += 1
    receipt = brodmann.submit(tmp_path / "run", tmp_path / "board.sqlite", who="ada")
    close_board()
    assert receipt.new == n == len(of_layers)


def test_to_a_server_with_a_token(runs, tmp_path, monkeypatch):
    board = tmp_path / "board.sqlite"
    done = run_brodmann("leaderboard", "token", "ada", "--board", board)
    token = done.stdout.strip()
    listed = run_brodmann("leaderboard", "tokens", "--board", board)
    assert "ada" in listed.stdout
    assert token not in listed.stdout
    server = Server(board)
    try:
        monkeypatch.delenv("BRODMANN_TOKEN", raising=False)
        with pytest.raises(UserError, match="set BRODMANN_TOKEN"):
            brodmann.submit(runs / "run", server.url)
        monkeypatch.setenv("BRODMANN_TOKEN", "brd_wrong")
        with pytest.raises(UserError, match="refused the submission: the token is not valid"):
            brodmann.submit(runs / "run", server.url)
        monkeypatch.setenv("BRODMANN_TOKEN", token)
        receipt = brodmann.submit(runs / "run", server.url, rename={"pixels": "my-pixels"})
        assert (receipt.new, receipt.duplicate) == (4, False)
        assert brodmann.submit(runs / "run", server.url, rename={"pixels": "my-pixels"}).duplicate
    finally:
        server.stop()
    names = {one.name for one in state(board).models.values()}
    assert "my-pixels" in names
    assert "pixels" not in names
    run_brodmann("leaderboard", "revoke", token.split("_")[1], "--board", board)
    opened = open_board(board)
    with opened.reading(), pytest.raises(UserError, match="not valid"):
        accounts.holder(token)
    close_board()


def test_what_was_submitted_to_a_server_is_taken_back_with_its_token(tmp_path, monkeypatch):
    board = tmp_path / "board.sqlite"
    tokens = [
        run_brodmann("leaderboard", "token", who, "--board", board).stdout.strip() for who in ("ada", "bob")
    ]
    server = Server(board)
    try:
        monkeypatch.setenv("BRODMANN_TOKEN", tokens[0])
        receipt = send(boards.document(), server.url)
        assert receipt.submission == 1
        for token, message in (
            ("", "set BRODMANN_TOKEN"),
            ("brd_wrong", "refused the withdrawal: the token is not valid"),
            (tokens[1], "refused the withdrawal: it belongs to another submitter"),
        ):
            monkeypatch.setenv("BRODMANN_TOKEN", token)
            with pytest.raises(UserError, match=message) as caught:
                withdraw(1, server.url)
            assert "\n" not in str(caught.value)
        assert len(state(board).scores) == 1
        monkeypatch.setenv("BRODMANN_TOKEN", tokens[0])
        done = run_brodmann("leaderboard", "withdraw", 1, "--to", server.url, "--reason", "wrong weights")
        assert done.stdout.strip() == "withdrawn 1 scores of submission 1", done.stderr
        with pytest.raises(
            UserError, match="refused the withdrawal: nothing of submission 1 counts any more"
        ):
            withdraw(1, server.url)
        with pytest.raises(UserError, match="refused the withdrawal: there is no submission 7"):
            withdraw(7, server.url)
    finally:
        server.stop()
    assert not state(board).scores
    assert "wrong weights" in run_brodmann("leaderboard", "audit", "--board", board).stdout
    with pytest.raises(UserError, match="is not a secure .* address: a token is not sent there"):
        withdraw(1, "http://board.example.org")
    done = run_brodmann("leaderboard", "withdraw", 1, "--to", server.url, "--board", board)
    assert (done.returncode, "choose one: --board" in done.stderr) == (2, True)


class Strange(http.server.BaseHTTPRequestHandler):
    """A server that is no leaderboard: it redirects, or answers nonsense, and remembers who sent a token."""

    seen = []  # noqa: RUF012

    def do_POST(self):
        Strange.seen.append((self.path, self.headers.get("authorization")))
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>" if self.path.startswith("/page") else b'{"hello": 1}')

    def log_message(self, *_):
        pass


def test_servers_that_are_no_leaderboard(runs, monkeypatch):
    monkeypatch.setenv("BRODMANN_TOKEN", "brd_secret")
    monkeypatch.setattr("time.sleep", lambda _: None)
    document, _ = gathered([runs / "run"])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Strange)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        with pytest.raises(UserError, match="it leads to /elsewhere"):
            send(document, f"{url}/away")
        assert [path for path, _ in Strange.seen] == [
            "/away/api/v1/submissions"
        ]  # the token went nowhere else
        for path in ("/page", "/other"):
            with pytest.raises(UserError, match="is not a leaderboard"):
                send(document, url + path)
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(UserError, match="no answer.*send it again, it counts once"):
        send(document, url)
    with pytest.raises(UserError, match="is not a secure"):
        send(document, "http://board.example.org")


def test_what_cannot_be_submitted(runs, tmp_path):
    with pytest.raises(UserError, match="no run at"):
        gathered([tmp_path / "absent"])
    with pytest.raises(UserError, match="there are no scores to submit"):
        gathered([runs / "layouts"])
    document, _ = gathered([runs / "run"])
    with pytest.raises(UserError, match="no model 'nobody' to rename"):
        renamed(document, {"nobody": "x"})
    with pytest.raises(UserError, match="'my net' cannot be a name on a board.*--rename"):
        renamed(document, {"pixels": "my net"})
    for text, said in (
        ("[pixels]\ncolour = 'red'", "unknown entry of the card of pixels 'colour'"),
        ("[pixel]\nfamily = 'x'", "did you mean 'pixels'"),
        ("family = 'x'", "stands outside a card"),
        ("family = ", "not valid TOML"),
    ):
        (tmp_path / "cards.toml").write_text(text)
        with pytest.raises(UserError, match=said):
            gathered([runs / "run"], cards=tmp_path / "cards.toml")
    _, notes = gathered([runs / "run", runs / "layouts"])
    assert notes == []
    (tmp_path / "cards.toml").write_text("[pixels]\nurl = 'javascript:alert(1)'")
    done = run_brodmann(
        "submit", runs / "run", "--card", tmp_path / "cards.toml", "--to", tmp_path / "b.sqlite"
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "models.2.url" in done.stderr or "url" in done.stderr
    forged, _ = gathered([runs / "run"])
    forged["scores"][0]["score"] += 0.01
    forged["digest"] = digest_of_document(forged)
    with pytest.raises(UserError, match="does not follow"):
        send(forged, tmp_path / "b.sqlite", who="ada")
    assert not list(tmp_path.glob("b.sqlite*"))
    done = run_brodmann("submit", runs / "run", "--rename", "pixels", "--to", tmp_path / "b.sqlite")
    assert "--rename takes OLD=NEW" in done.stderr
    for words in (("show",), ("tokens",), ("export", tmp_path / "s"), ("revoke", "0" * 16), ("withdraw", 1)):
        done = run_brodmann("leaderboard", *words, "--board", tmp_path / "absent.sqlite")
        assert (done.returncode, "no board at" in done.stderr) == (2, True), words
    assert not (tmp_path / "absent.sqlite").exists()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_brodmann("leaderboard", "serve", "--board", tmp_path / "b.sqlite", "--port", port)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"brodmann: cannot listen at 127.0.0.1, port {port}: Address already in use; choose another"
    ]
    assert done.stdout == ""
