"""What the leaderboard's tests share: documents that fit, databases of both kinds, a server in its own process."""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from brodmann.bench.leaderboard.submission.schema import digest_of_document

BENCHMARK = "simulated-cortex.IT-rsa"
REAL = "kriegeskorte2008.hIT-rsa"


def card(name="net-a", **changed):
    return {"identifier": name, "domain": "vision", "family": "Net", "parameters": 1000} | changed


def score(model="net-a", raw=0.3, **changed):
    """A score on a benchmark of the catalogue that follows from its raw value."""
    ceiling = changed.get("ceiling", 0.6)
    made = {
        "key": hashlib.sha256(f"{model} {raw} {sorted(changed.items())}".encode()).hexdigest(),
        "model": model,
        "benchmark": REAL,
        "benchmark_version": 1,
        "dataset": "kriegeskorte2008",
        "region": "hIT",
        "metric": "rsa",
        "domain": "vision",
        "simulated": False,
        "score": min(max(raw / ceiling, 0.0), 1.0),
        "raw": raw,
        "ceiling": ceiling,
        "ceiling_kind": "rdm",
        "ceiling_lower": 0.4,
        "ceiling_upper": ceiling,
        "normalization": "r_over_ceiling",
        "ci": [raw / ceiling - 0.1, raw / ceiling + 0.1],
        "p": 0.01,
        "layer": "b",
        "layers": {"a": raw - 0.1, "b": raw, "c": raw - 0.05},
        "n_stimuli": 92,
        "n_neuroids": 0,
        "left_out": {"stimuli without a picture": 2},
        "unit": "subject",
        "raw_values": [raw - 0.02, raw + 0.02],
        "methods": {"interval": "bootstrap over stimuli", "splits": 2},
        "seed": 0,
        "n_bootstraps": 1000,
        "n_permutations": 1000,
        "model_digest": "ab" * 32,
        "data_digest": "cd" * 32,
        "code_digest": "ef" * 32,
        "versions": {"brodmann": "0.1.0"},
    }
    return made | changed


def simulated(model="net-a", raw=0.3, **changed):
    """The same on a simulated benchmark."""
    return score(
        model, raw, benchmark=BENCHMARK, dataset="simulated-cortex", region="IT", simulated=True, **changed
    )


def declared(one):
    """The declaration that a score of these fits, and its arrays."""
    import numpy as np

    from brodmann.bench.leaderboard.storage.declaration import declaration_of_record

    names = {"modality": "domain", "license": "data_license", "bibtex": "bibtex"}
    record = {"bibtex": "", "data_license": "", "n_subjects": None} | one
    record |= {name: record.get(given, "") for name, given in names.items()}
    arrays = {name: np.array(one.get(f"{name}_values", []), float) for name in ("raw", "ceiling")}
    return declaration_of_record(record, arrays)


def declare(board, *scores, again=False):
    """Declare the benchmarks of some scores on a board; by default the two of this module."""
    from brodmann.bench.leaderboard.storage.declaring import declare as put

    who = board.person("staff", staff=True)
    for one in scores or (score(), simulated()):
        with board.change():
            put(*declared(one), who, again=again)


def layout(model="net-a", **changed):
    return {
        "model": model,
        "layer": "b",
        "model_digest": "ab" * 32,
        "code_digest": "ef" * 32,
        "stimuli": "drawn",
        "n_units": 6,
        "weights": "queen",
        "permutations": 99,
        "clustering": [
            {
                "contrast": "face",
                "morans_i": 0.5,
                "null_mean": -0.01,
                "null_sd": 0.05,
                "p": 0.01,
                "smoothness": 0.6,
                "map": {"rows": 2, "columns": 3, "values": [1.0, -2.0, None, 0.5, 3.0, 0.0]},
            }
        ],
        "participation_ratio": 5.0,
        "corrected": 5.5,
        "interval": [5.0, 6.0],
        "n_samples": 100,
    } | changed


def document(models=None, scores=None, layouts=(), **changed):
    """A whole submission with its digest."""
    made = {
        "format": 1,
        "title": "",
        "models": [card()] if models is None else models,
        "scores": [score()] if scores is None else scores,
        "layouts": list(layouts),
    } | changed
    return made if "digest" in made else made | {"digest": digest_of_document(made)}


def body(content):
    return json.dumps(content).encode()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Postgres:
    """A PostgreSQL server of its own, from Debian's package, in a folder that is thrown away."""

    def __init__(self):
        self.programs = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))
        # not in pytest's folder, which only its own user may enter: as root the server runs as `postgres`
        self.folder, self.port, self.n = Path(tempfile.mkdtemp(prefix="brodmann-postgres-")), free_port(), 0
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        folder = self.folder
        self.run(
            "initdb", "-D", folder / "data", "-A", "trust", "-U", "brodmann", "-E", "UTF8", "--no-locale"
        )
        options = f"-p {self.port} -k {folder} -h 127.0.0.1"
        self.run("pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")

    def run(self, program, *words):
        as_whom = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        command = [str(self.programs / program), *map(str, words)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **as_whom)

    def database(self):
        """The address of a new, empty database."""
        self.n += 1
        name = f"board{self.n}"
        self.run("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", "brodmann", name)
        return f"postgresql://brodmann@127.0.0.1:{self.port}/{name}"

    def stop(self):
        self.run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


class Server:
    """``brodmann leaderboard serve`` in a process of its own."""

    def __init__(self, board, *words, port=None, prefix=(), log=subprocess.PIPE):
        self.board, self.words, self.port = board, words, port or free_port()
        self.prefix, self.log = prefix, log
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        command = [*self.prefix, sys.executable, "-m", "brodmann.bench", "leaderboard", "serve"]
        self.process = subprocess.Popen(
            [*command, "--board", str(self.board), "--port", str(self.port), *map(str, self.words)],
            stdout=subprocess.DEVNULL,
            stderr=self.log,
        )
        for _ in range(3000):
            if self.process.poll() is not None:
                raise AssertionError(self.process.stderr and self.process.stderr.read().decode())
            with contextlib.suppress(OSError):
                self.get("/health")
                return
            time.sleep(0.02)
        raise AssertionError("the server did not start")

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def ask(self, method, path, content=None, **headers):
        """(status, headers, body)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, content, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def submit(self, content, token):
        sent = content if isinstance(content, bytes) else body(content)
        status, _, answer = self.ask(
            "POST",
            "/api/v1/submissions",
            sent,
            Authorization=f"Bearer {token}",
            Content_Type="application/json",
        )
        return status, json.loads(answer)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._close()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        finally:
            self._close()

    def _close(self):
        if self.process.stderr:
            self.process.stderr.close()
