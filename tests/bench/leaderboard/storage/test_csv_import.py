"""Published tables of scores: every line is on the board, and the headline is the best layer's."""

import csv
import math

import pytest

pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")

from brodmann.bench.leaderboard import open_board
from brodmann.bench.leaderboard.storage.csv_import import import_scores, read_lines
from brodmann.bench.leaderboard.storage.models import LayerRow, database_models
from brodmann.bench.leaderboard.storage.snapshot import read_snapshot
from brodmann.bench.leaderboard.web.ranking import Selection, table_of
from brodmann.errors import UserError


def state(board):
    revision = board.revision()
    with board.reading():
        return read_snapshot(revision)


def test_all_published_scores(board, test_data):
    path = test_data / "schrimpf2021-language" / "precomputed-scores.csv"
    with path.open(encoding="utf-8-sig") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 4885
    receipt = import_scores(board, path, board.person("published"))
    pairs = {(line["model"], line["benchmark"]) for line in lines}
    assert receipt.new == len(pairs) == 765
    with board.reading():
        rows = list(
            LayerRow.select(
                database_models.Model.name,
                database_models.BenchmarkInstance.benchmark,
                LayerRow.layer,
                LayerRow.value,
                LayerRow.error,
            )
            .join(database_models.Score)
            .join(database_models.Model)
            .switch(database_models.Score)
            .join(database_models.BenchmarkInstance)
            .tuples()
        )
    number = lambda text: None if not text or math.isnan(float(text)) else float(text)  # noqa: E731
    known = sorted(
        (one["model"], one["benchmark"], one["layer"], number(one["score"]), number(one["error"]))
        for one in lines
    )
    assert sorted(rows, key=lambda row: row[:3]) == sorted(
        known, key=lambda row: row[:3]
    )  # 4885, to the last digit
    now = state(board)
    best = {}
    for one in lines:
        value = number(one["score"])
        if value is not None:
            better = min if one["benchmark"] == "wikitext-2" else max
            key = one["model"], one["benchmark"]
            best[key] = value if key not in best else better(best[key], value)
    shown = {
        (now.models[model].name, now.benchmarks[benchmark].identifier): one.value
        for (model, benchmark), one in now.scores.items()
    }
    assert shown == best
    table = table_of(now, Selection(domain="language", sort="Pereira2018-encoding"))
    assert [row.model.name for row in table.rows[:3]] == [
        "gpt2-xl",
        "gpt2-large",
        "gpt2-medium",
    ]  # as Schrimpf et al. say
    assert table.n_models == 88
    assert table.n_brain == 4
    assert table.columns[-1].lower_is_better
    gpt = next(row for row in table.rows if row.model.name == "gpt2-xl")
    values = [
        best["gpt2-xl", f"{name}-encoding"] for name in ("Pereira2018", "Fedorenko2016v3", "Blank2014fROI")
    ]
    average = (sum(values) / 3 + best["gpt2-xl", "Futrell2018-encoding"]) / 2
    assert gpt.values["average"] == pytest.approx(average)
    assert (gpt.model.family, gpt.model.parameters) == ("GPT", 1_558_000_000)
    again = import_scores(board, path, board.person("published"))
    assert again.duplicate
    assert len(state(board).scores) == 765


def test_a_table_of_ones_own_with_what_it_is(board, tmp_path):
    (tmp_path / "mine.csv").write_text("model,benchmark,score\nnet,speed,3\nother,speed,2\nnet,V4,0.5\n")
    (tmp_path / "mine.toml").write_text(
        'domain = "vision"\n[benchmarks.speed]\nkind = "engineering"\nlower_is_better = true\n'
        '[benchmarks.V4]\nregion = "V4"\n'
    )
    import_scores(board, tmp_path / "mine.csv", board.person("ada"), about=tmp_path / "mine.toml")
    table = table_of(state(board), Selection(sort="speed"))
    assert [row.model.name for row in table.rows] == ["other", "net"]
    assert {row.model.name: row.values["average"] for row in table.rows} == {"net": 0.5, "other": None}
    renewed = "model,benchmark,score\nnet,speed,1\n"
    (tmp_path / "mine.csv").write_text(renewed)
    receipt = import_scores(board, tmp_path / "mine.csv", board.person("ada"), about=tmp_path / "mine.toml")
    assert (receipt.new, receipt.replaced) == (0, 1)
    with pytest.raises(UserError, match="belongs to another submitter"):
        (tmp_path / "mine.csv").write_text(renewed + "new,speed,4\n")
        import_scores(board, tmp_path / "mine.csv", board.person("bob"), about=tmp_path / "mine.toml")
    assert {one.name for one in state(board).models.values()} == {"net", "other"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no column 'benchmark'"),
        ("model,benchmark,score\n", "holds no scores"),
        ("model;benchmark;score\na;b;1\n", "has no column"),
        ("model,benchmark,score\na,b,high\n", "line 2: the score is no number: 'high'"),
        ("model,benchmark,score\na,b,inf\n", "line 2: the score is infinite"),
        ("model,benchmark,score\n<b>,b,1\n", "line 2: the model is no name"),
        ("model,benchmark,score\na,=cmd,1\n", "line 2: the benchmark is no name"),
        ("model,benchmark,score,layer\na,b,1,<i>\n", "line 2: the layer is no name"),
        ("model,benchmark,score\na,b,1\na,b,2\n", "line 3: a on b stands there twice"),
        (b"model,benchmark,score\n\xff\xfe,b,1\n", "not a readable CSV"),
    ],
)
def test_tables_that_cannot_be_read(text, said):
    with pytest.raises(UserError, match=said):
        read_lines(text if isinstance(text, bytes) else text.encode(), "mine.csv")


def test_files_that_cannot_be_read(tmp_path):
    board = open_board(tmp_path / "board.sqlite")
    who = board.person("ada")
    with pytest.raises(UserError, match="cannot read"):
        import_scores(board, tmp_path / "absent.csv", who)
    (tmp_path / "mine.csv").write_text("model,benchmark,score\na,b,1\n")
    for text, said in (
        ("[benchmarks.b]\ncolour = 'red'\n", "benchmarks.b.colour: Extra inputs"),
        ("[benchmarks.b]\nkind = 'cosmic'\n", "benchmarks.b.kind"),
        ("domain = 'smell'\n", "domain"),
        ("domain = ", "not valid TOML"),
    ):
        (tmp_path / "mine.toml").write_text(text)
        with pytest.raises(UserError, match=said):
            import_scores(board, tmp_path / "mine.csv", who, about=tmp_path / "mine.toml")
    assert state(board).scores == {}
