"""The pages as HTML. Every text that came from a submission is escaped by the templates."""

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup, escape

from ....brain_data.catalogue import list_datasets
from ...results.card import Card
from ...results.record import COLUMNS, counts
from ..storage.queries import declaration_of_instance, history_of, layers_of
from ..storage.snapshot import BenchmarkEntry, ModelEntry, ScoreEntry, Snapshot
from ..submission.schema import Map
from .charts import distribution, layer_curve, map_address, scatter
from .exports import describe_score
from .links import Links, asked
from .pairs import paired_scores
from .ranking import PAGE, Column, Row, Selection, Table, table_of

SITE = "brodmann leaderboard"
_MARKS = {
    "held": "held, without a rank", "unfit": "does not fit the declaration, without a rank",
    "above": "above the ceiling", "same": "same record", "accepted": "looked at",
}  # fmt: skip
_DECLARED = (
    ("normalization", "normalization"), ("scale", "scale"), ("stimuli (of a series, samples) that count", "n_stimuli"),
    ("neuroids", "n_neuroids"), ("best raw value that the data allow", "bound"),
    ("digest of the neuroids' ceilings", "ceiling_digest"), ("declared from", "origin"),
)  # fmt: skip
"""Title and name of what a declaration says besides."""
_FEW_CURVES = 12
_FEW_MAPS = 12
_IN_PLACE = {
    "model", "benchmark", "version", "domain", "region", "score", "low", "high", "raw", "ceiling", "p", "layer",
}  # fmt: skip
"""Columns of a score that a model's page shows above, or in its address."""


def board_page(snapshot: Snapshot, chosen: Selection, links: Links, *, page_size: int = PAGE) -> str:
    """The table of models and benchmarks."""
    table = table_of(snapshot, chosen, page_size=page_size)

    def head(key: str, label: str, benchmark: BenchmarkEntry | None, column: Column | None = None) -> Markup:
        return _head(key, label, benchmark, chosen, links, column, table.n_everyone)

    return _render(
        "board.html",
        snapshot,
        links,
        heading=f"{chosen.domain.capitalize()} models and the brain",
        here=chosen.domain,
        domain=chosen.domain,
        chosen=chosen,
        table=table,
        groups=_groups(table),
        head=head,
        sorted=lambda key: _aria_sort(key, chosen, table),
        cell=_cell,
        rank=_rank_of,
        undeclared=any(c.benchmark and not c.benchmark.declared for c in table.columns),
        asked=lambda **changes: asked(chosen, **changes),
    )


def model_page(snapshot: Snapshot, model: ModelEntry, links: Links) -> str:
    """A model: its card, scores, layer curves, sheet maps and history. Reads the board."""
    scores = list(snapshot.scores_of(model.id))
    ranked = [(benchmark, one, _rank(snapshot, benchmark, one)) for benchmark, one in scores]
    curves: list[tuple[BenchmarkEntry, ScoreEntry, Markup]] = []
    for benchmark, one in scores:
        drawn = layer_curve(layers_of(one.id), one.layer)
        if drawn and len(curves) < _FEW_CURVES:
            curves.append((benchmark, one, Markup(drawn)))
    layouts = snapshot.layouts.get(model.id, [])
    found = [(layout, part) for layout in layouts for part in (layout.report.get("clustering") or [None])]
    maps = [
        (
            layout.layer,
            part["contrast"],
            map_address(Map(**part["map"])),
            part["map"]["rows"],
            part["map"]["columns"],
        )
        for layout, part in found
        if part and part.get("map")
    ]
    card = [
        (info.title, _plain(getattr(model, name))) for name, info in Card.model_fields.items() if info.title
    ]
    return _render(
        "model.html",
        snapshot,
        links,
        heading=model.name,
        domain=model.domain,
        model=model,
        card=[*card, ("submitted by", model.owner)],
        scores=ranked,
        columns=[one for one in COLUMNS.values() if one.name not in _IN_PLACE],
        counts=counts,
        marks=marks_of,
        provenance=[describe_score(model, benchmark, one) for benchmark, one in scores if one.model_digest],
        curves=curves,
        layouts=layouts,
        layout_rows=found,
        maps=maps[:_FEW_MAPS],
        n_digests=len({one.model_digest for _, one in scores if one.model_digest}),
        history=history_of(model.id),
        others=sorted(
            (one for one in snapshot.models.values() if one.domain == model.domain and one.id != model.id),
            key=lambda one: one.name.lower(),
        ),
    )


def benchmark_page(snapshot: Snapshot, versions: Sequence[BenchmarkEntry], links: Links) -> str:
    """A benchmark: its data, ceiling, metric and citation, and how the models' scores lie."""
    benchmark, *older = versions
    scores = _scores_on(snapshot, benchmark)
    values = [one.value for _, one in scores if one.value is not None]
    declared = declaration_of_instance(benchmark.id)
    card = [
        ("version", benchmark.version),
        *_describe_data(benchmark.dataset),
        ("region", " › ".join(benchmark.place)),
        ("metric", benchmark.metric),
        ("kind", benchmark.kind),
        ("ceiling", _limit(benchmark)),
        ("unit", benchmark.unit),
        ("better", "lower" if benchmark.lower_is_better else "higher"),
        ("licence of the data", benchmark.license),
        ("digest of the data", benchmark.data_digest),
        *((title, declared.card.get(name)) for title, name in _DECLARED if declared is not None),
    ]
    return _render(
        "benchmark.html",
        snapshot,
        links,
        heading=benchmark.identifier,
        domain=benchmark.domain,
        benchmark=benchmark,
        card=card,
        declared=declared,
        marks=marks_of,
        ranks=_ranks_on(scores) if benchmark.declared else {},
        scores=scores,
        picture=Markup(distribution(values)),
        older=[(one, len(_scores_on(snapshot, one))) for one in older],
    )


def _limit(benchmark: BenchmarkEntry) -> str:
    if benchmark.ceiling is None:
        return ""
    bounds = ""
    if benchmark.ceiling_lower is not None and benchmark.ceiling_upper is not None:
        bounds = f", {benchmark.ceiling_lower:.3f} to {benchmark.ceiling_upper:.3f} over subjects"
    return f"{benchmark.ceiling:.3f} ({benchmark.ceiling_kind.replace('_', ' ')}{bounds})"


def compare_page(snapshot: Snapshot, a: ModelEntry | None, b: ModelEntry | None, links: Links) -> str:
    """Two models on the benchmarks that both were scored on, with the report's paired test. Reads the board."""
    pairs = paired_scores(snapshot, a, b) if a and b else []
    brain = [one for one in pairs if one["benchmark"].brain]
    groups = [
        (
            domain,
            sorted((m for m in snapshot.models.values() if m.domain == domain), key=lambda m: m.name.lower()),
        )
        for domain in snapshot.domains
    ]
    names = (a.name if a else "", b.name if b else "")
    return _render(
        "compare.html",
        snapshot,
        links,
        heading="Compare",
        here="compare",
        domain=a.domain if a else snapshot.domains[0],
        a=a,
        b=b,
        models=groups,
        pairs=pairs,
        wins=sum(one["better"] > 0 for one in pairs),
        losses=sum(one["better"] < 0 for one in pairs),
        picture=Markup(scatter([(o["benchmark"].identifier, o["a"], o["b"]) for o in brain], *names)),
    )


def about_page(snapshot: Snapshot, links: Links, address: str) -> str:
    """How to submit, and what is checked."""
    newest = [one for one in snapshot.benchmarks.values() if one.newest]
    return _render(
        "about.html",
        snapshot,
        links,
        heading="Submit a model",
        here="about",
        address=address,
        benchmarks=sorted(newest, key=lambda one: one.identifier),
    )


def problem_page(snapshot: Snapshot, links: Links, heading: str, problem: str) -> str:
    """What went wrong, in one sentence."""
    return _render("problem.html", snapshot, links, heading=heading, problem=problem)


def _scores_on(snapshot: Snapshot, benchmark: BenchmarkEntry) -> list[tuple[ModelEntry, ScoreEntry]]:
    found = [(snapshot.models[key[0]], one) for key, one in snapshot.scores.items() if key[1] == benchmark.id]
    sign = 1 if benchmark.lower_is_better else -1
    return sorted(
        found, key=lambda pair: (pair[1].value is None, sign * (pair[1].value or 0.0), pair[0].name.lower())
    )


def _ranks_on(scores: Sequence[tuple[ModelEntry, ScoreEntry]]) -> dict[int, int]:
    """The rank of every score that has one."""
    ranked = [one.id for _, one in scores if one.ranked and one.value is not None]
    return {number: place for place, number in enumerate(ranked, 1)}


def _rank(snapshot: Snapshot, benchmark: BenchmarkEntry, one: ScoreEntry) -> str:
    if not benchmark.declared:
        return ""
    ranks = _ranks_on(_scores_on(snapshot, benchmark))
    return f"{ranks[one.id]} of {len(ranks)}" if one.id in ranks else ""


def _rank_of(row: Row) -> Markup:
    """A rank, ``=`` where another model has the same, and its 95 % interval."""
    if row.rank is None:
        return Markup('<td class="rank"></td>')
    tie = '<abbr class="tie" title="tied">=</abbr>' if row.tied else ""
    between = ""
    if row.between is not None:
        low, high = row.between
        said = f"{low}" if low == high else f"{low}–{high}"
        between = f'<span class="between" title="95 % interval of the rank">{said}</span>'
    return Markup(f'<td class="rank" data-v="{row.rank}">{tie}{row.rank}{between}</td>')  # numbers alone


def _describe_data(name: str) -> list[tuple[str, object]]:
    """What the catalogue knows of a data set; its name alone where it knows nothing."""
    known = next((one for one in list_datasets() if one.identifier == name), None)
    if known is None:
        return [("data", name)]
    return [
        ("data", f"{name}: {known.title}"),
        ("species", known.species),
        ("technique", known.technique),
        ("subjects", known.n_subjects),
        ("stimuli", known.n_stimuli),
        ("source", known.source),
    ]


def _groups(table: Table) -> list[tuple[str, int]]:
    groups: list[tuple[str, int]] = []
    for column in table.columns:
        if groups and groups[-1][0] == column.group:
            groups[-1] = (column.group, groups[-1][1] + 1)
        else:
            groups.append((column.group, 1))
    return groups


def _head(
    key: str,
    label: str,
    benchmark: BenchmarkEntry | None,
    chosen: Selection,
    links: Links,
    column: Column | None = None,
    n_models: int = 0,
) -> Markup:
    """The head of a column: sorts the table; below it a link to the benchmark, and how many models were scored."""
    said = escape(label).replace("-", Markup("-<wbr>")).replace(".", Markup(".<wbr>"))
    if links.live:
        order = ""
        if chosen.sort == key:
            lower = key in ("name", "parameters") or (benchmark is not None and benchmark.lower_is_better)
            usual = "ascending" if lower else "descending"
            other = "descending" if lower else "ascending"
            order = other if (chosen.order or usual) == usual else usual
        said = Markup('<a href="{}">{}</a>').format(links.board(**asked(chosen, sort=key, order=order)), said)
    else:
        said = Markup('<button type="button" class="sort">{}</button>').format(said)
    if benchmark is None:
        return said
    said += Markup('<a class="about" href="{}" aria-label="about {}">about</a>').format(
        links.benchmark(benchmark.slug), label
    )
    if column is not None and column.n_scored < n_models:
        apart = "" if column.averaged or not benchmark.ranked else ", not averaged"
        said += Markup('<span class="about">{} of {}{}</span>').format(column.n_scored, n_models, apart)
    return said


def _aria_sort(key: str, chosen: Selection, table: Table) -> Markup:
    if chosen.sort != key:
        return Markup("")
    lower = key in ("name", "parameters") or any(c.key == key and c.lower_is_better for c in table.columns)
    return Markup(' aria-sort="{}"').format(chosen.order or ("ascending" if lower else "descending"))


def _cell(row: Row, column: Column) -> Markup:
    value = row.values.get(column.key)
    shade = column.shade(value)
    if shade is None or value is None:
        return Markup("<td></td>")
    # scores on what nobody declared may be of several scales, and have no colour in common
    colour = f"c{shade}" if column.benchmark is None or column.benchmark.declared else "plain"
    score = row.scores.get(column.key)
    if score is None:
        return Markup(f'<td class="{colour}" data-v="{value:.4g}">{value:.2f}</td>')
    between = (
        f"{score.low:.2f} to {score.high:.2f}" if score.low is not None and score.high is not None else ""
    )
    title = ", ".join(part for part in (between, score.layer, *marks_of(score)) if part)
    said = f' title="{escape(title)}"' if title else ""
    if not score.ranked:
        return Markup(f'<td class="held" data-v=""{said}>{value:.2f}<sup>!</sup></td>')  # escaped above
    sign = "<sup>✓</sup>" if score.agreed else "<sup>*</sup>" if score.marks else ""
    return Markup(f'<td class="{colour}" data-v="{value:.4g}"{said}>{value:.2f}{sign}</td>')


def marks_of(score: ScoreEntry) -> list[str]:
    """What a reader must know of a score, in words."""
    said = [f"{_MARKS.get(name, name)}: {why}" for name, why in score.marks.items()]
    for one in score.reproduced:
        verdict = "reproduced" if one.agrees else "not reproduced"
        said.append(f"{verdict} by {one.who}: {one.value:.3f}")
    return said


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, (int, float)) else str(value)


def _plain(value: Any) -> str:
    """A cell whose kind is not known: yes or no, a number, or a text."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:.3f}" if isinstance(value, float) else str(value)
    )


def _render(name: str, snapshot: Snapshot, links: Links, **known: Any) -> str:
    """A template filled in; a page that is of no domain stands under the first."""
    alike = {"site": SITE, "links": links, "domains": snapshot.domains, "revision": snapshot.revision}
    alike |= {"version": version("brodmann"), "here": "", "domain": snapshot.domains[0]}
    return _templates().get_template(name).render(alike | known)


@lru_cache
def _templates() -> jinja2.Environment:
    loader = jinja2.FunctionLoader(lambda name: (files(__package__) / "templates" / name).read_text("utf-8"))
    made = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, auto_reload=False
    )
    made.filters |= {"number": _number, "plain": _plain}
    return made


def interface_page(snapshot: Snapshot, links: Links, schema: dict[str, Any]) -> str:
    """The interface for programs, an operation a paragraph."""
    operations = [
        (method.upper(), path, one.get("summary", ""), one.get("parameters", []), "requestBody" in one)
        for path, methods in schema["paths"].items()
        for method, one in methods.items()
    ]
    return _render(
        "interface.html",
        snapshot,
        links,
        heading="Interface",
        operations=operations,
    )
