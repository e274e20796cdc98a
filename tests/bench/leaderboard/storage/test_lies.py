"""What a submitter may try: every lie is refused or marked, on both kinds of database; honest scores are taken."""

import copy
import math
import re

import numpy as np
import pytest

pytest.importorskip("brainscore_core", reason="a leaderboard has Brain-Score's tables")

from boards import body

import brodmann
from brodmann.bench.leaderboard import gathered, parse_submission
from brodmann.bench.leaderboard.storage import amend
from brodmann.bench.leaderboard.storage.declaration import declaration_of
from brodmann.bench.leaderboard.storage.declaring import declare
from brodmann.bench.leaderboard.storage.snapshot import read_snapshot
from brodmann.bench.leaderboard.submission.schema import digest_of_document
from brodmann.bench.leaderboard.submit import renamed
from brodmann.errors import UserError

IT = "simulated-cortex.IT"
RIDGE, PLS, DECODING, CKA = (f"{IT}-{metric}" for metric in ("ridge", "pls", "decoding", "cka"))
DECLARED = (RIDGE, PLS, DECODING, CKA)
MODELS = ("pixels", "gabor-pyramid")


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """What two models' scores on four metrics, computed here, become as a submission."""
    folder = tmp_path_factory.mktemp("honest")
    for model in MODELS:
        for benchmark in DECLARED:
            brodmann.score(model, benchmark, run=folder / "run", n_bootstraps=50, n_permutations=19)
    brodmann.score(
        "pixels", "simulated-cortex.V1-cka", run=folder / "other", n_bootstraps=50, n_permutations=19
    )
    return gathered([folder / "run"])[0], gathered([folder / "other"])[0]


@pytest.fixture(scope="module")
def cards():
    return [declaration_of(name) for name in DECLARED]


@pytest.fixture
def believed(board, cards):
    """A board that has declared the four benchmarks."""
    staff = board.person("staff", staff=True)
    with board.change():
        for card in cards:
            declare(*card, staff)
    return board


def take(board, content, who="mallory"):
    sent = body(content)
    return board.submit(parse_submission(sent), sent.decode(), board.person(who))


def state(board):
    revision = board.revision()
    with board.reading():
        return read_snapshot(revision)


def alone(document, benchmark, name="liar-net"):
    """One score of the document, of a model with a name of its own, numbers and all a little other than the first's."""
    made = copy.deepcopy(document)
    made["scores"] = [
        one for one in made["scores"] if (one["model"], one["benchmark"]) == ("pixels", benchmark)
    ]
    made["models"] = [one for one in made["models"] if one["identifier"] == "pixels"]
    return renamed(made, {"pixels": name})


def times(factor):
    """All that a score says of itself, as if the model were better by a factor."""
    sign = 1 if factor > 0 else -1

    def lie(one):
        for name in ("score", "raw"):
            one[name] *= factor
        one["ci"] = [value * factor for value in one["ci"]][::sign]
        one["layers"] = {name: value * factor for name, value in one["layers"].items()}
        one["raw_values"] = [None if value is None else value * factor for value in one["raw_values"]]
        for name in ("samples", "subjects", "both"):
            one["draws"][name] = [value * factor for value in one["draws"].get(name, [])]
        one["draws"]["units"] = [[v * factor for v in row] for row in one["draws"].get("units", [])]

    return lie


def put(**changed):
    return lambda one: one.update(changed)


def recomputed(normalization):
    """Another formula, followed to the letter."""

    def lie(one):
        raw, c = one["raw"], one["ceiling"]
        one["normalization"] = normalization
        one["score"] = {
            "none": raw,
            "r2_over_ceiling": raw**2 / c,
            "r_over_ceiling": min(raw / c, 1.0),
            "r_over_ceiling_squared": (raw / c) ** 2,
            "r_over_best_r": raw / c,
        }[normalization]
        width = one["ci"][1] - one["ci"][0]
        one["ci"], one["draws"] = [one["score"] - width / 2, one["score"] + width / 2], None

    return lie


def other_ceiling(value):
    """A lower ceiling, and the score that follows from it."""

    def lie(one):
        one["ceiling"] = value
        one["score"] = one["raw"] / math.sqrt(value)
        one["ci"], one["draws"] = [one["score"] - 0.05, one["score"] + 0.05], None

    return lie


def without_ceiling(one):
    one.update(ceiling=None, ceiling_kind="none", normalization="none", score=one["raw"], draws=None)
    one["ci"] = [one["raw"] - 0.05, one["raw"] + 0.05]


def each_ceiling(factor):
    return lambda one: one.update(ceiling_values=[value * factor for value in one["ceiling_values"]])


def first_ceilings(one):
    one["ceiling_values"][:5] = [0.01] * 5


def best_neuroids(one):
    """Only the neuroids that go well."""
    values = np.array(one["raw_values"], float)
    kept = values >= np.median(values)
    raw = float(np.median(values[kept]))
    one["raw_values"] = [float(value) if keep else None for value, keep in zip(values, kept, strict=True)]
    one.update(raw=raw, score=raw / math.sqrt(one["ceiling"]), n_neuroids=int(kept.sum()), draws=None)
    one["layers"], one["ci"] = {one["layer"]: raw}, [one["score"] - 0.05, one["score"] + 0.05]


def best_neuroids_unsaid(one):
    n = one["n_neuroids"]
    best_neuroids(one)
    one["n_neuroids"] = n


def fewer_neuroids(one):
    one["raw_values"], one["ceiling_values"] = one["raw_values"][:100], one["ceiling_values"][:100]


def one_neuroid_beyond(one):
    one["raw_values"][0] = 1.2


def raw_not_of_neuroids(one):
    times(1.05)(one)
    one["raw_values"] = [value / 1.05 for value in one["raw_values"]]


def swapped_layer(one):
    one["layers"] = {one["layer"]: one["raw"] - 0.2}


def one_layer_beyond(one):
    one["layers"] = one["layers"] | {"other": 1.5}


def interval(low, high):
    return lambda one: one.update(ci=[one["score"] + low, one["score"] + high])


def narrow_draws(one):
    """Draws that are drawn together, with the interval that they would give."""
    middle, draws = one["score"], one["draws"]
    draws["samples"] = [middle + (value - middle) / 100 for value in draws["samples"]]
    draws["units"] = []
    width = (one["ci"][1] - one["ci"][0]) / 1000
    one["ci"] = [middle - width, middle + width]


def many_samples(one):
    one["draws"]["n"] = 10**6


def other_recordings(one):
    one["data_digest"] = "ab" * 32


def ceiling_bounds(one):
    one.update(ceiling_lower=0.1, ceiling_upper=0.9)


def perfect(one):
    """A similarity of 1, which no recording without a ceiling is believed to give."""
    one.update(raw=1.0, score=1.0, ci=[0.98, 1.02], draws=None, layers={one["layer"]: 1.0})


def above_ceiling(formula):
    """Raw values that no model without noise could reach, and all that follows from them."""

    def lie(one):
        raw = 0.95
        one.update(raw=raw, score=formula(raw, one["ceiling"]), layers={one["layer"]: raw}, draws=None)
        one["raw_values"] = [raw] * len(one["raw_values"])
        one["ci"] = [one["score"] - 0.05, one["score"] + 0.05]

    return lie


def sae(more, bounds=(-1.0, 1.0)):
    """A score of features that is better than its control by more than it is."""

    def lie(one):
        one |= {
            "sae_control": one["score"] - 0.1,
            "sae_n_controls": 5,
            "sae_score": 0.1 + more,
            "sae_ci": list(bounds),
        }

    return lie


SCORES = {
    # what it stands on
    "an honest raw value over a tiny ceiling": (RIDGE, other_ceiling(0.003), "ceiling is"),
    "a lower ceiling": (RIDGE, other_ceiling(0.5), "ceiling is"),
    "a ceiling that is lower by a hundredth": (RIDGE, other_ceiling(0.70), "ceiling is"),
    "a ceiling of another kind": (RIDGE, put(ceiling_kind="internal_consistency"), "ceiling is"),
    "the same value as r_max": (RIDGE, put(ceiling_kind="r_max"), "ceiling is"),
    "no ceiling at all": (RIDGE, without_ceiling, "ceiling is"),
    "a ceiling of decoding at chance": (DECODING, put(ceiling=0.55), "does not follow|ceiling"),
    "bounds over subjects that there are not": (RIDGE, ceiling_bounds, "ceiling lower is"),
    "ceilings of all neuroids halved": (RIDGE, each_ceiling(0.5), "ceilings of .* neuroids"),
    "ceilings of all neuroids a little lower": (RIDGE, each_ceiling(0.99), "ceilings of .* neuroids"),
    "ceilings of five neuroids lowered": (RIDGE, first_ceilings, "ceilings of 5 of its 256"),
    "ceilings left out": (RIDGE, put(ceiling_values=[]), "0 ceilings of neuroids, and the benchmark 256"),
    "another formula: raw": (RIDGE, recomputed("none"), "normalization is 'none'"),
    "another formula: squared": (RIDGE, recomputed("r2_over_ceiling"), "normalization is"),
    "another formula: over the ceiling": (RIDGE, recomputed("r_over_ceiling"), "normalization is"),
    "another formula: over the ceiling, squared": (
        RIDGE,
        recomputed("r_over_ceiling_squared"),
        "normalization is",
    ),
    "another formula: unclipped": (PLS, recomputed("r_over_best_r"), "normalization is"),
    "a formula of one's own": (RIDGE, put(normalization="wishful"), "unknown normalization"),
    "other recordings": (RIDGE, other_recordings, "other recordings"),
    "another region": (RIDGE, put(region="V1"), "its region is"),
    "another data set": (RIDGE, put(dataset="kriegeskorte2008"), "its dataset is"),
    "another metric": (RIDGE, put(metric="pls"), "its metric is"),
    "not simulated": (RIDGE, put(simulated=False), "simulated"),
    "a version to come": (RIDGE, put(benchmark_version=3), "up to version"),
    "folds of one's own": (RIDGE, put(benchmark=f"{RIDGE}@folds=3"), "other folds"),
    "a benchmark that there is not": (RIDGE, put(benchmark="simulated-cortex.IT-magic"), "does not know"),
    # the numbers
    "a better score": (RIDGE, put(score=0.95), "does not follow"),
    "a raw value above 1": (RIDGE, times(2.5), "is not between"),
    "a raw value below -1": (RIDGE, times(-2.5), "is not between"),
    "a neuroid above 1": (RIDGE, one_neuroid_beyond, "of a neuroid is not between"),
    "a layer above 1": (RIDGE, one_layer_beyond, "of a layer is not between"),
    "a layer that is not among them": (RIDGE, put(layer="secret"), "not among its layers"),
    "a layer with another value": (RIDGE, swapped_layer, "not that of its layers"),
    "raw values that give another score": (RIDGE, raw_not_of_neuroids, "not that of its values"),
    "raw values far from the score": (PLS, put(raw_values=[0.1] * 256), "far from the middle"),
    "no raw values": (RIDGE, put(raw_values=[]), "0 raw values, and the benchmark 256"),
    "only the best neuroids": (RIDGE, best_neuroids, "neuroids"),
    "only the best neuroids, unsaid": (RIDGE, best_neuroids_unsaid, "other neuroids are left out"),
    "fewer neuroids": (RIDGE, fewer_neuroids, "100 raw values"),
    "more neuroids than there are": (RIDGE, put(n_neuroids=1000), "1000 neuroids, and the benchmark has 256"),
    "fewer stimuli": (RIDGE, put(n_stimuli=100), "100 stimuli, and the benchmark has 500"),
    "more stimuli": (CKA, put(n_stimuli=5000), "5000 stimuli"),
    "more subjects": (RIDGE, put(n_subjects=12), "12 subjects, and the benchmark has 1"),
    "values of subjects": (RIDGE, put(unit="subject"), "its unit is 'subject'"),
    # how sure
    "an interval above its score": (RIDGE, interval(0.1, 0.2), "does not lie around"),
    "an interval below its score": (CKA, interval(-0.3, -0.2), "does not lie around"),
    "an interval the wrong way round": (RIDGE, interval(0.1, -0.1), "is none"),
    "an interval of no width": (CKA, interval(0.0, 0.0), "no width"),
    "a narrower interval than its draws give": (
        RIDGE,
        interval(-0.001, 0.001),
        "does not follow from its draws",
    ),
    "a wider one": (DECODING, interval(-0.3, 0.3), "does not follow from its draws"),
    "a narrower one by percentiles": (CKA, interval(-0.001, 0.001), "does not follow from its draws"),
    "draws without an interval": (RIDGE, put(ci=[None, None]), "draws and no interval"),
    "draws that are drawn together": (RIDGE, narrow_draws, "than its draws|does not follow from its draws"),
    "draws of more stimuli than there are": (RIDGE, many_samples, "1000000 samples"),
    "a p that 19 permutations cannot give": (RIDGE, put(p=0.001), "below 0.05"),
    "a p a little too small": (CKA, put(p=0.049), "below 0.05"),
    "a p of nobody knows what": (RIDGE, put(n_permutations=None, methods={}), "from how many permutations"),
    "a p of no permutations": (CKA, put(n_permutations=0), "from how many permutations"),
    "a billion permutations": (RIDGE, put(p=1e-9, n_permutations=10**9), "nobody permutes"),
    "a p of 0": (RIDGE, put(p=0.0), "scores.0.p"),
    # features
    "features without a control": (RIDGE, put(sae_score=0.1), "without its control"),
    "few features without a control": (RIDGE, put(k90=2.0), "without its control"),
    "an SAE score that its control does not give": (
        RIDGE,
        sae(0.2),
        "is not its score less that of its control",
    ),
    "an SAE score outside of its interval": (RIDGE, sae(0.0, (0.2, 0.3)), "does not hold its SAE score"),
    # what the data do not allow
    "a score above the ceiling": (
        RIDGE,
        above_ceiling(lambda r, c: r / c**0.5),
        "above 0.840, the best that the noise allows",
    ),
    "a score above the ceiling, squared": (
        PLS,
        above_ceiling(lambda r, c: r**2 / c),
        "above 0.838, the best that the noise allows",
    ),
    "a perfect score where no ceiling is known": (CKA, perfect, "without a ceiling, above 0.950"),
}


def lied(honest, benchmark, lie):
    made = alone(honest, benchmark)
    lie(made["scores"][0])
    made["scores"][0]["key"] = "0" * 64
    return made | {"digest": digest_of_document(made)}


def outcome(board, content, who="mallory"):
    """``refused``, with why; or ``held``, ``undeclared``, ``ranked``, as a reader sees it."""
    before = board.revision()
    try:
        receipt = take(board, content, who)
    except UserError as refused:
        assert board.revision() == before
        return "refused", str(refused)
    now = state(board)
    [(key, one)] = [(key, one) for key, one in now.scores.items() if one.submission == receipt.submission]
    seen = "ranked" if one.ranked else "held"
    if not now.benchmarks[key[1]].declared:
        seen = "undeclared"
    board.withdraw_submission(receipt.submission, board.person(who))
    return seen, "; ".join(one.marks.values())


def test_honest_scores_are_taken_and_ranked(believed, honest):
    assert take(believed, honest[0], "ada").new == len(MODELS) * len(DECLARED)
    now = state(believed)
    assert len(now.scores) == 8
    assert all(one.ranked and dict(one.marks) == {} for one in now.scores.values())
    second = honest[0] | {"title": "again"}
    again = take(believed, second | {"digest": digest_of_document(second)}, "ada")
    assert (again.new, again.known) == (0, 8)


def test_every_lie_is_refused_or_marked(believed, honest):
    kept = copy.deepcopy(honest[0])
    take(believed, renamed(kept, {"pixels": "honest-net"}), "ada")
    believed_scores = {key: one.value for key, one in state(believed).scores.items()}
    slipped, wrong = [], []
    for name, (benchmark, lie, expected) in SCORES.items():
        seen, why = outcome(believed, lied(honest[0], benchmark, lie))
        if seen == "ranked":
            slipped.append(name)
        elif not re.search(expected, why):
            wrong.append((name, seen, why))
    print(f"{len(SCORES) - len(slipped)} of {len(SCORES)} lies refused or marked")
    assert slipped == []
    assert wrong == []
    assert len(SCORES) >= 60
    assert {key: one.value for key, one in state(believed).scores.items()} == believed_scores


@pytest.mark.parametrize(
    "name", ["Honest-Net", "honestnet", "honest_net", "h0nest-net", "HONEST.NET", "honest--net", "honest/net"]
)
def test_a_name_that_looks_like_anothers(believed, honest, name):
    take(believed, alone(honest[0], CKA, "honest-net"), "ada")
    seen, why = outcome(believed, alone(honest[0], RIDGE, name))
    assert seen == "refused"
    assert "looks like 'honest-net', which belongs to another" in why
    assert take(believed, alone(honest[0], RIDGE, name), "ada").new == 1  # its owner may have it


def test_a_submitter_who_looks_like_another(board):
    board.person("ada")
    for name in ("Ada", "a.d.a", "ADA"):
        with pytest.raises(UserError, match="looks like 'ada'"):
            board.person(name)


def test_somebody_elses_record_under_ones_own_name(believed, honest):
    take(believed, alone(honest[0], RIDGE, "honest-net"), "ada")
    assert outcome(believed, alone(honest[0], RIDGE, "liar-net")) == (
        "held",
        "the record of honest-net to the last digit, under another name",
    )
    seen, _ = outcome(believed, lied(honest[0], RIDGE, lambda one: None))  # another key for the same numbers
    assert seen == "held"


def test_what_is_not_declared_is_shown_without_a_rank(believed, honest):
    seen, _ = outcome(believed, honest[1])
    assert seen == "undeclared"


def test_the_first_submitter_poisons_nothing(board, cards, honest):
    """What a submitter says of an undeclared benchmark binds nobody, and is gone when it is declared."""
    lie = lied(honest[0], RIDGE, other_ceiling(0.003))
    lie["scores"][0] |= {"bibtex": "@article{mine}", "data_license": "all mine"}
    take(board, lie | {"digest": digest_of_document(lie)})
    assert take(board, alone(honest[0], RIDGE, "honest-net"), "ada").new == 1
    staff = board.person("staff", staff=True)
    with board.change():
        became = declare(*cards[0], staff)
    assert (became.fit, became.unfit) == (1, 1)
    now = state(board)
    [benchmark] = now.versions(RIDGE.lower())
    assert benchmark.ceiling == pytest.approx(cards[0][0].ceiling)
    assert "mine" not in benchmark.license + benchmark.citation
    ranked = {now.models[model].name: one.ranked for (model, _), one in now.scores.items()}
    assert ranked == {"liar-net": False, "honest-net": True}


def test_only_who_runs_the_board_declares_and_amends(believed, cards):
    ada = believed.person("ada")
    with pytest.raises(UserError, match="only who runs this board"), believed.change():
        declare(*cards[0], ada, again=True)
    for change in (
        lambda: amend.rename(believed, "a", "b", ada),
        lambda: amend.merge(believed, "a", "b", ada),
        lambda: amend.correct(believed, "a", {"family": "x"}, ada),
        lambda: amend.accept(believed, 1, ada, ""),
        lambda: amend.hold(believed, 1, ada, ""),
        lambda: amend.ban(believed, "staff", ada),
    ):
        with pytest.raises(UserError, match="only who runs this board"):
            change()
