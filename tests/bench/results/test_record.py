"""One record: what it says in every place follows from its fields."""

import json
from pathlib import Path

import pytest
from boards import score

from brodmann import UserError
from brodmann.bench import open_run
from brodmann.bench.leaderboard.submission.schema import SubmittedScore
from brodmann.bench.results.record import COLUMNS, PUBLIC, ScoreRecord, cells, public
from brodmann.files import digest_of


def record(**changes):
    """A record as a run keeps it, from what a submission says."""
    said = score() | changes
    made = {name: said.pop(name) for name in ("seed", "model_digest", "data_digest", "versions")}
    made["code"] = said.pop("code_digest")
    said |= {"modality": said.pop("domain"), "license": "CC0", "provenance": made}
    return {name: value for name, value in said.items() if name != "raw_values"}


def test_what_a_record_tells_is_what_a_submission_takes():
    told = public(ScoreRecord.model_validate(record()).model_dump())
    evidence = {"raw_values", "ceiling_values", "draws"}
    assert SubmittedScore.model_validate(told).model_dump(exclude=evidence) == told
    assert set(told) == set(PUBLIC) == set(SubmittedScore.model_fields) - evidence


def test_every_field_that_travels_is_checked_more_strictly_than_at_home():
    for name, shown in PUBLIC.items():
        field = SubmittedScore.model_fields[name]
        assert field.title
        assert field.description == shown.text
    assert SubmittedScore.model_config["extra"] == "forbid"
    assert SubmittedScore.model_config["strict"]


def test_a_line_of_a_table():
    line = cells(public(record()))
    assert list(line) == list(COLUMNS)
    assert (line["low"], line["high"]) == tuple(record()["ci"])
    assert (line["left_out"], line["n_left_out"]) == ("2 stimuli without a picture", 2)
    assert (line["version"], line["domain"], line["code_digest"]) == (1, "vision", "ef" * 32)
    assert all(title for _, title, *_ in COLUMNS.values())


def test_the_spelling_of_before_is_read(tmp_path):
    run = open_run(tmp_path)
    older = record(layers={"b": 0.3})
    older["normalisation"] = older.pop("normalization")
    path = run.keep(older, {"raw": [0.3]})
    kept = json.loads(path.read_text())
    assert kept["format"] == 2
    assert "normalisation" not in kept
    assert [one["normalization"] for one in run.records()] == ["r_over_ceiling"]
    assert (
        SubmittedScore.model_validate(
            {("normalisation" if name == "normalization" else name): value for name, value in score().items()}
        ).normalization
        == "r_over_ceiling"
    )


def test_what_is_no_record_is_said_in_a_line(tmp_path):
    run = open_run(tmp_path)
    path = run.keep(record(), {"raw": [0.3]})
    content = {
        name: value for name, value in json.loads(Path(path).read_text()).items() if name != "checksum"
    }
    del content["benchmark"]
    path.write_text(json.dumps(content | {"checksum": digest_of(content)}))
    with pytest.raises(UserError, match="is not a record of a score: benchmark: Field required") as refused:
        list(run.records())
    assert "\n" not in str(refused.value)
