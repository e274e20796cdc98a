"""A study: what its file names, what is scored, kept, gone on with, and summed up."""

import json
import signal
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest

import brodmann
from brodmann import Study, UserError
from brodmann.bench import arrays_of, open_run
from brodmann.bench.cli.main import app
from brodmann.bench.leaderboard.submit import submit_study
from brodmann.bench.reports.study_report import study_comparison, write_study
from brodmann.bench.scoring import score
from brodmann.bench.studies import work
from brodmann.bench.studies.cells import Cell, Event, Job
from brodmann.bench.studies.planning import batches
from brodmann.bench.studies.summary import Summary

FEW = {"bootstraps": 20, "permutations": 9}
FACTORIES = """
def fails():
    raise RuntimeError("no weights\\nfor you")
def exits():
    print("as scripts do")
    raise SystemExit(0)
def waits():
    import time
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def own(own_data, tmp_path_factory):
    """The region of the pictures, and a file of models of one's own."""
    file = tmp_path_factory.mktemp("models") / "mine.py"
    file.write_text(FACTORIES)
    (region,) = brodmann.load_dataset("my-pictures").regions[:1]
    return region, file


def bench(own, metric):
    return f"my-pictures.{own[0]}-{metric}"


@pytest.fixture
def home(own, tmp_path):
    """A study of two models on three benchmarks, one of which fails for one model."""
    return Study(
        models=["pixels", "gabor-pyramid"], benchmarks=[bench(own, one) for one in ("ridge", "rsa", "cka")],
        run=f"run-{tmp_path.name}", **FEW,
    )  # fmt: skip


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A home in which nothing is installed, whatever other tests brought."""
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))


def write(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return path


# what a file names


def test_patterns_stand_for_what_is_installed_and_fits(empty):
    study = Study(models=["pixels", "*-transformer", "gabor*"], benchmarks=["simulated-cortex*"])
    found = study.cells()
    vision = ["V1-ridge", "IT-ridge", "IT-rsa", "IT-decoding"]
    assert [(cell.model, cell.benchmark) for cell in found.cells] == [
        *(("pixels", f"simulated-cortex.{one}") for one in vision),
        ("random-transformer", "simulated-cortex-language.language-ridge"),
        *(("gabor-pyramid", f"simulated-cortex.{one}") for one in vision),
    ]
    assert (
        "pixels on simulated-cortex-language.language-ridge",
        "a vision model and a language benchmark",
    ) in (found.left_out)


def test_what_is_not_installed_is_left_out_and_said(empty):
    found = Study(models=["toponet-nanogpt-*", "pixels"], benchmarks=["simulated-cortex.V1-ridge"]).cells()
    assert [cell.model for cell in found.cells] == ["pixels"]
    assert (
        "toponet-nanogpt-tau1",
        "not installed: brodmann models add toponet-nanogpt-tau1",
    ) in found.left_out
    data = Study(models=["pixels"], benchmarks=["kriegeskorte2008.*", "simulated-cortex.V1-ridge"]).cells()
    assert ("kriegeskorte2008.hIT-rsa", "the data set kriegeskorte2008 is not installed: brodmann data add "
            "kriegeskorte2008") in data.left_out  # fmt: skip


def test_options_multiply_cells_and_tables_choose_by_pattern():
    study = Study(
        models=["random-convnet", "pixels"],
        benchmarks=["simulated-cortex.IT-ridge", "simulated-cortex.IT-rsa"],
        pairs=[["gabor-pyramid", "simulated-cortex.V1-ridge"]],
        exclude=["pixels on *-rsa"],
        layers={"random-*": ["conv2", "conv3"]},
        readouts=[{}, {"pool": "mean"}],
        seeds=[0, 7],
        beyond={"*-ridge": ["position"]},
    )
    cells = study.cells().cells
    assert len(cells) == 4 * 4
    assert {cell.layers for cell in cells if cell.model == "random-convnet"} == {("conv2", "conv3")}
    assert {(cell.benchmark, cell.beyond) for cell in cells if cell.model == "random-convnet"} == {
        ("simulated-cortex.IT-ridge", ("position",)), ("simulated-cortex.IT-rsa", None),
    }  # fmt: skip
    assert {cell.variant for cell in cells} == {"", "seed=7", "pool=mean", "pool=mean+seed=7"}
    assert not [one for one in cells if one.model == "pixels" and one.benchmark.endswith("rsa")]
    # a plain reading serves every seed; that of a readout is drawn from it
    assert len({one.reading for one in cells if one.model == "random-convnet"}) == 3


def test_folds_that_a_metric_does_not_have_leave_its_benchmark_out():
    study = Study(models=["pixels"], benchmarks=["simulated-cortex.IT-r*"], folds=3)
    found = study.cells()
    assert [(cell.benchmark, cell.folds) for cell in found.cells] == [("simulated-cortex.IT-ridge", "3")]
    assert [one.what for one in found.left_out] == ["pixels on simulated-cortex.IT-rsa"]


def test_a_batch_is_of_one_reading_and_one_data_set():
    names = ["simulated-cortex.IT-ridge", "kriegeskorte2008.hIT-rsa", "simulated-cortex.V1-ridge"]
    cells = [Cell(model, name) for model in ("pixels", "gabor-pyramid") for name in names]
    made = [[(cell.model, cell.benchmark) for cell in batch.cells] for batch in batches(cells)]
    assert made == [
        [(model, name) for name in group]
        for model in ("pixels", "gabor-pyramid")
        for group in ([names[0], names[2]], [names[1]])
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modles = ['pixels']", "unknown entry of {}: did you mean 'models'"),
        ("models = ['pixels']", "a study needs models and benchmarks, or pairs"),
        ("models = [[1]]\nbenchmarks = ['x']", "models must be a list of names, not [[1]]"),
        ("models = {a = 1}\nbenchmarks = ['x']", "models must be a list of names"),
        ("models = ['pixls']\nbenchmarks = ['simulated-cortex.*']", "unknown model 'pixls': did you mean"),
        ("models = ['pixls*']\nbenchmarks = ['simulated-cortex.*']", "unknown model 'pixls*': did you mean"),
        ("models = ['pixels']\nbenchmarks = ['simulated-cortx.*']", "unknown benchmark 'simulated-cortx.*': did"),
        ("models = ['hf:a*']\nbenchmarks = ['simulated-cortex.*']", "what stands behind hf: cannot be listed"),
        ("models = ['squeezenet1_0']\nbenchmarks = ['simulated-*']", "'squeezenet1_0' are not installed: brodmann"),
        ("models = ['pixels']\nbenchmarks = ['kriegeskorte2008.hIT-rsa']", "'kriegeskorte2008' is not installed"),
        ("models = ['pixels']\nbenchmarks = ['simulated-cortex-language.*']", "there is nothing to score; pixels on"),
        ("{C}exclude = ['gabor*']", "exclude 'gabor*' matches nothing"),
        ("pairs = [['pixels', 'simulated-cortex-language.language-ridge']]", "a vision model and a language benchmark"),
        ("pairs = ['pixels']", "pairs must be a list of [MODEL, BENCHMARK], not 'pixels'"),
        ("{X}seeds = [-1]", "seeds must be a whole number from 0, not -1"),
        ("{X}seeds = []", "seeds must hold at least one number"),
        ("{X}bootstraps = 1e3", "bootstraps must be a whole number from 0, not 1000.0"),
        ("{X}bootstraps = true", "bootstraps must be a whole number"),
        ("{X}batch_size = 0", "batch_size must be a whole number from 1"),
        ("{X}readouts = [{pol = 'mean'}]", "unknown entry of a readout 'pol': did you mean 'pool'?"),
        ("{X}readouts = [{pool = 'median'}]", "pool must be one of none, mean, max, not 'median'"),
        ("{X}readouts = [{half = 1}]", "half must be true or false, not 1"),
        ("{C}layers = {'pixls' = ['x']}", "unknown name or pattern in layers 'pixls': did you mean 'pixels'?"),
        ("{C}beyond = {'x*' = ['word-rate']}", "unknown name or pattern in beyond 'x*'"),
        ("{C}folds = {'my*' = 3}", "unknown name or pattern in folds 'my*'"),
        ("{X}folds = [1]", "folds.* must be a number or a word"),
        ("{X}run = '../../etc'", "run must be a plain name"),
        ("{X}name = '/tmp/x'", "name must be a plain name"),
        ("models = ['pixels'", "is not valid TOML"),
        ("a = " + "[" * 500 + "]" * 500, "nested too deeply"),
        ("#" * (1 << 21), "is larger than a study is"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_one_line(tmp_path, empty, text, said):
    text = text.replace("{X}", "models = ['pixels']\nbenchmarks = ['x']\n")
    path = write(tmp_path, text.replace("{C}", "models = ['pixels']\nbenchmarks = ['simulated-cortex.*']\n"))
    with pytest.raises(UserError) as caught:
        Study.read(path).cells()
    assert said.format(f"{path} 'modles'") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_never_ends_is_not_read():
    with pytest.raises(UserError, match="/dev/zero is no plain file: a study is a TOML file"):
        Study.read("/dev/zero")


def test_a_study_of_too_many_cells_is_refused():
    with pytest.raises(UserError, match="at most 100,000 scores"):
        Study(models=["pixels"], benchmarks=["simulated-cortex.V1-ridge"], seeds=list(range(100_001))).cells()


# what is done


def test_cells_give_the_records_of_score_to_the_digit_and_under_the_same_key(home):
    done = home.work()
    assert Counter(one.state for one in done.ends) == {"scored": 6}
    for end, record in zip(done.ends, done.records, strict=True):
        apart = score(
            end.cell.model, end.cell.benchmark, run=f"{home.run}-apart", n_bootstraps=20, n_permutations=9
        )
        alone = apart.attrs["record"]
        same = set(alone) - {"seconds", "file", "cached", "arrays"}
        assert {name: record[name] for name in same} == {name: alone[name] for name in same}
        ours, theirs = arrays_of(record), arrays_of(alone)
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert np.array_equal(ours[name], theirs[name], equal_nan=ours[name].dtype.kind == "f"), name


def test_nothing_is_computed_twice(home, monkeypatch):
    from brodmann.analysis.encoding import gram_eigen
    from brodmann.bench.benchmark import Benchmark
    from brodmann.brain_data import catalogue

    counts = Counter()

    def counted(name, function):
        def call(*arguments, **options):
            counts[name] += 1
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(catalogue, "_loaded", counted("data", catalogue._loaded))
    monkeypatch.setattr(gram_eigen, "_prepared", counted("prepared", gram_eigen._prepared))
    ceiling = Benchmark.__dict__["noise_ceiling"]
    monkeypatch.setattr(ceiling, "func", counted("ceiling", ceiling.func))
    home.work()
    assert counts["data"] == 1  # for both models
    assert counts["ceiling"] == 3
    assert counts["prepared"] == 1 + 3  # layers of the two models
    before = dict(counts)
    done = home.work()
    assert Counter(one.state for one in done.ends) == {"stored": 6}
    assert counts["prepared"] == before["prepared"]


def test_a_failing_cell_stops_no_other_and_is_tried_again(own, tmp_path):
    wrong = f"{own[1]}:fails"
    study = Study(
        models=[wrong, "pixels"], benchmarks=[bench(own, "cka"), bench(own, "rsa")], run=f"r{tmp_path.name}", **FEW
    )  # fmt: skip
    told = []
    done = study.work(tell=told.append)
    assert [one.state for one in done.ends] == ["failed", "failed", "scored", "scored"]
    assert {one.error for one in done.failed} == {"fails() of mine.py failed: RuntimeError: no weights"}
    assert [one.state for one in told[:4]] == ["running", "failed", "running", "failed"]
    again = study.work()
    assert [one.state for one in again.ends] == ["failed", "failed", "stored", "stored"]


def test_an_error_of_a_strangers_code_is_a_line_of_its_cell(own, tmp_path, monkeypatch):
    from brodmann.bench.metrics.whole_comparison import WholeComparison

    def breaks(*arguments, **options):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(WholeComparison, "evaluate", breaks)
    study = Study(
        models=["pixels"], benchmarks=[bench(own, "cka"), bench(own, "rsa")], run=f"e{tmp_path.name}", **FEW
    )
    done = study.work()
    assert [(one.state, one.error) for one in done.ends] == [
        ("failed", "ZeroDivisionError: division"),
        ("scored", ""),
    ]


def test_where_memory_does_not_suffice_what_was_kept_is_let_go(own, monkeypatch):
    from brodmann.memory import NotEnoughMemory

    desk = work.Desk()
    desk.begin()
    cell = Cell("pixels", bench(own, "cka"))
    lacks = [True]

    def answered(cell, job, began):
        if lacks.pop() if lacks else False:
            raise NotEnoughMemory("too much")
        return {"shelved": len(desk.shelf)}

    monkeypatch.setattr(desk, "_answered", answered)
    with pytest.raises(NotEnoughMemory):
        desk.record(cell, Job("x"), 0.0)  # there was nothing to let go
    lacks.append(True)
    desk.shelf.once("key", lambda: 1, lambda _: 1)
    assert desk.record(cell, Job("x"), 0.0) == {"shelved": 0}


def test_what_a_process_had_open_is_closed_at_the_end(home):
    home.work(only="pixels on *-cka")
    assert work._DESKS == {}


# what is planned


def test_a_plan_says_what_is_stored_refused_and_takes(own, home):
    home.work(only="pixels")
    plan = home.plan()
    assert [one.status for one in plan.cells] == ["stored"] * 3 + ["to do"] * 3
    assert all(one.seconds > 0 and one.n_bytes > 0 for one in plan.of("to do"))
    assert plan.seconds == pytest.approx(sum(one.seconds for one in plan.of("to do")))
    fresh = Study(
        models=["pixels"], benchmarks=home.benchmarks, beyond=["position"], run=home.run, **FEW
    ).plan()
    why = {one.cell.benchmark.rpartition("-")[2]: one.why for one in fresh.cells}
    assert "has no variance to divide" in why["rsa"]
    assert [one.status for one in fresh.cells] == ["to do", "refused", "refused"]


def test_only_a_pattern():
    study = Study(models=["pixels", "gabor-pyramid"], benchmarks=["simulated-cortex.*"])
    assert {cell.model for cell in study.cells("gabor*").cells} == {"gabor-pyramid"}
    assert len(study.cells("pixels on *-rsa").cells) == 1
    with pytest.raises(UserError, match="matches none of 8 scores"):
        study.cells("nothing*")


# what comes of it


def test_the_summary_has_a_row_a_cell_and_a_report(own, tmp_path):
    study = Study(
        models=["pixels", f"{own[1]}:fails"], benchmarks=[bench(own, "cka")], seeds=[0, 1],
        run=f"s{tmp_path.name}", **FEW,
    )  # fmt: skip
    done = study.work()
    paths = write_study(done, tmp_path / "out", vector=False)
    table = pd.read_csv(paths[0])
    assert list(table["state"]) == ["scored", "scored", "failed", "failed"]
    assert list(table["variant"].fillna("")) == ["", "seed=1", "", "seed=1"]
    assert table["score"].notna().tolist() == [True, True, False, False]
    assert ["no weights" in str(one) for one in table["error"]] == [False, False, True, True]
    assert table["score"][0] == pytest.approx(done.records[0]["score"])
    assert study_comparison(done).models == ["pixels", "pixels@seed=1"]
    report = (tmp_path / "out" / "report.html").read_text()
    assert "pixels@seed=1" in report
    assert "failed: fails() of mine.py failed" in report


def test_all_scores_are_submitted_at_once(home, tmp_path):
    from brodmann.bench.leaderboard.storage.database import close_board

    done = home.work()
    receipt, _ = submit_study(done, tmp_path / "board.sqlite", who="ada")
    close_board()
    assert (receipt.new, receipt.duplicate) == (6, False)
    again, _ = submit_study(done, tmp_path / "board.sqlite", who="ada")
    close_board()
    assert again.duplicate


# the command


def command(*words):
    """In this process; the exit code."""
    return app(["run", *map(str, words)], standalone_mode=False) or 0


def test_the_command_scores_sums_up_and_says_what_failed(own, tmp_path, capsys):
    path = write(tmp_path, (
        f"models = ['pixels', '{own[1]}:fails']\nbenchmarks = ['{bench(own, 'cka')}']\nbootstraps = 0\n"
        f"permutations = 0\nrun = 'c{tmp_path.name}'\n"
    ))  # fmt: skip
    assert command(path, "--folder", tmp_path / "out", "--no-pdf") == 1
    shown = capsys.readouterr().out
    assert "1/2  scored  pixels on" in shown
    assert "cells     1 scored, 0 stored, 1 failed" in shown
    assert shown.rstrip().endswith("failed: RuntimeError: no weights")
    assert (tmp_path / "out" / "report.html").is_file()
    wrong = command(path, "--only", "*fails", "--json", "--folder", tmp_path / "again", "--no-pdf")
    found = json.loads(capsys.readouterr().out)
    assert (wrong, [one["state"] for one in found["cells"]]) == (1, ["failed"])
    assert found["files"] == [str(tmp_path / "again" / "study.csv")]


def test_the_dry_run_scores_nothing(own, tmp_path, capsys):
    run, name = f"d{tmp_path.name}", bench(own, "cka")
    path = write(tmp_path, f"models = ['pix*', 'random-t*']\nbenchmarks = ['{name}']\nrun = '{run}'\n")
    assert command(path, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert f"left out  random-transformer on {name}: a language model and a vision benchmark" in shown
    assert "to do     1, stored 0, refused 0" in shown
    assert "time      not known" in shown or "time      about" in shown
    assert not open_run(run).folder.exists()
    command(path, "--dry-run", "--json")
    plan = json.loads(capsys.readouterr().out)
    assert [one["status"] for one in plan["cells"]] == ["to do"]


def test_what_a_model_prints_stands_not_in_the_json_and_its_exit_is_a_failed_cell(own, tmp_path, capsys):
    path = write(tmp_path, (
        f"models = ['{own[1]}:exits', 'pixels']\nbenchmarks = ['{bench(own, 'cka')}']\nbootstraps = 0\n"
        f"permutations = 0\nrun = 'p{tmp_path.name}'\n"
    ))  # fmt: skip
    assert command(path, "--json", "--folder", tmp_path / "out", "--no-pdf") == 1
    answer, beside = capsys.readouterr()
    cells = json.loads(answer)["cells"]
    assert [(one["state"], one["error"]) for one in cells] == [
        ("failed", "exits() of mine.py failed: SystemExit: 0"),
        ("scored", None),
    ]
    assert "as scripts do" in beside


def test_no_text_of_the_tables_is_a_formula_of_a_spreadsheet(tmp_path):
    cell = Cell("=HYPERLINK(1).py:f", "simulated-cortex.IT-cka")
    failed = Event(cell, "failed", error="+1 is no model")
    path, *_ = write_study(Summary("s", "r", [failed], []), tmp_path)
    row = pd.read_csv(path).iloc[0]
    assert (row["model"], row["error"]) == ("'=HYPERLINK(1).py:f", "'+1 is no model")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.toml"], "cannot read nowhere.toml: No such file or directory"),
        (["{}", "--on", "oen"], "unknown executor 'oen': did you mean 'one'"),
        (["{}", "--on", "one:5"], "--on one takes no :5: did you mean processes:5?"),
        (["{}", "--dry-run", "--device", "gpu"], "device 'gpu' cannot be used here"),
        (["{}", "--run", "{}/run"], "/run: Not a directory"),
        (["{}", "--on", "processes:1", "--run", "{}/run"], "/run: Not a directory"),
        (["{}", "--only", "nothing"], "--only 'nothing' matches none of 1 scores of this study"),
        (["{}", "--folder", "{}/sub"], "study.toml is a file: the summary goes into a folder"),
        (["{}", "--folder", "{}"], "study.toml is a file: the summary goes into a folder"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_before_anything_runs(own, tmp_path, words, said):
    path = write(tmp_path, f"models = ['pixels']\nbenchmarks = ['{bench(own, 'cka')}']\n")
    with pytest.raises(UserError) as caught:
        command(*(word.format(path) for word in words))
    assert said in str(caught.value)


def test_an_interrupt_keeps_what_is_finished_and_the_same_command_goes_on(own, tmp_path):
    run = f"i{tmp_path.name}"
    text = (
        f"models = ['pixels', '{own[1]}:waits']\nbenchmarks = ['{bench(own, 'cka')}']\nbootstraps = 0\n"
        f"permutations = 0\nrun = '{run}'\n"
    )
    path = write(tmp_path, text)
    words = [sys.executable, "-m", "brodmann.bench", "run", str(path), "--folder", str(tmp_path / "out")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline().startswith("1/2  scored")
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=60)
    assert running.returncode == 130
    assert error.strip() == "brodmann: stopped; what is finished is kept, the same command goes on"
    assert len(list(open_run(run).records())) == 1
    again = Study.read(path).work(only="pixels")
    assert [one.state for one in again.ends] == ["stored"]
