"""What Brain-Score's own code wrote into a board becomes part of it.

A local file that Brain-Score's own steps made has its tables and none of ours. Whatever stands in its tables alone gets
its rows here when a board is opened.
"""

from typing import Any

from .migrations import alone, declare_as_it_is
from .models import CURRENT, SUPERSEDED, BenchmarkRow, CeilingRow, ModelRow, RevisionRow, ScoreRow
from .models import database_models as brainscore
from .repository import free_slug, own_name


def adopt(database: Any) -> int:
    """Give rows of ours to what has none; how many scores that were."""
    if not any(_orphans(*pair).exists() for pair in _PAIRS):
        return 0
    with alone(database):
        for benchmark in _orphans(brainscore.BenchmarkType, BenchmarkRow.benchmark):
            BenchmarkRow.create(
                benchmark=benchmark,
                slug=free_slug(benchmark.identifier, _slugs(BenchmarkRow)),
                kind="neural",
                dataset=benchmark.identifier.split(".")[0],
                region=benchmark.parent_id or "",
                metric=benchmark.identifier.rpartition("-")[2],
            )
        for instance in _orphans(brainscore.BenchmarkInstance, CeilingRow.instance):
            kind = "none" if instance.ceiling is None else "internal_consistency"
            CeilingRow.create(instance=instance, kind=kind)
            declare_as_it_is(instance.id, "brainscore")
        for model in _orphans(brainscore.Model, ModelRow.model):
            ModelRow.create(model=model, slug=free_slug(model.name, _slugs(ModelRow)))
            own_name(model.name, model)
        n = sum(_adopt_score(score) for score in _orphans(brainscore.Score, ScoreRow.score))
        RevisionRow.update(value=RevisionRow.value + 1).execute()
    return n


def _adopt_score(score: Any) -> bool:
    """A score takes the place of an earlier one; a run that is not finished, or failed, has no value yet."""
    raw, value = score.score_raw, score.score_ceiled
    if raw is None and value is None:
        return False
    same = brainscore.Score.select(brainscore.Score.id).where(
        brainscore.Score.model == score.model_id, brainscore.Score.benchmark == score.benchmark_id
    )
    ScoreRow.update(state=SUPERSEDED).where(ScoreRow.score.in_(same), ScoreRow.state == CURRENT).execute()
    ScoreRow.create(
        score=score,
        submission=score.model.submission_id,
        key="",
        value=raw if value is None else value,
        error=score.error,
        shown={"raw": raw, "layer": "", "normalization": ""},
    )
    return True


def _orphans(table: Any, reference: Any) -> Any:
    """The rows of a table of Brain-Score's to which no row of ours refers."""
    key = table._meta.primary_key
    rows = table.select().where(key.not_in(reference.model.select(reference)))
    if table is brainscore.Score:
        rows = rows.where(table.score_raw.is_null(False) | table.score_ceiled.is_null(False))
    if table is brainscore.BenchmarkType:  # nodes of the tree have no version, and need no row
        rows = rows.where(
            key.in_(brainscore.BenchmarkInstance.select(brainscore.BenchmarkInstance.benchmark))
        )
    return rows.order_by(key)


def _slugs(table: Any) -> set[str]:
    return {row.slug for row in table.select(table.slug)}


_PAIRS = (
    (brainscore.BenchmarkType, BenchmarkRow.benchmark),
    (brainscore.BenchmarkInstance, CeilingRow.instance),
    (brainscore.Model, ModelRow.model),
    (brainscore.Score, ScoreRow.score),
)
