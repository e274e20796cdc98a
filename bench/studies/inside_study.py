"""Four questions about what stands inside networks, over pairs of topographic networks and their baseline twins.

Do features match better than units across seeds? Are a topographic network's units less mixed at equal error of the
dictionary? Do features lie together on the sheet, and the purer ones more? Do features predict a recording better than
random expansions of the same width, and with fewer? Networks are the sample: features of one network share its units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from ...analysis.interpretability.dictionary import Dictionary, Site
from ...analysis.interpretability.learning.rows import TrainingRows, open_rows, write_rows
from ...analysis.interpretability.learning.settings import Seeds, Settings
from ...analysis.interpretability.learning.training import train_dictionary
from ...analysis.interpretability.quality.activation_matching import match_activations
from ...analysis.interpretability.quality.controls import untrained
from ...analysis.interpretability.quality.firing import codes_of_rows, effective_number
from ...analysis.interpretability.quality.matched_error import frontier
from ...analysis.interpretability.quality.matching import direction_floors, match_directions
from ...analysis.interpretability.quality.reconstruction import reconstruction
from ...analysis.interpretability.sheets.feature_mass import mass_table
from ...analysis.interpretability.sheets.mass_nulls import mass_comparison
from ...analysis.interpretability.sheets.polysemanticity import effective_classes
from ...analysis.representation.dimensionality import participation_ratio
from ...analysis.spatial.spatial_weights import SpatialWeights
from ...analysis.statistics.paired_tests import paired_difference
from ...analysis.statistics.resampling import holm
from ...errors import UserError
from ...files import digest_of, parse_json, write_json
from ...models.extraction.rows import layer_rows, rows_by_document, token_windows
from ..results.store import finite
from .feature_scores import FeatureDesign, feature_scores

if TYPE_CHECKING:
    from ...brain_data.stimuli.corpora import TextCorpus
    from ...models.extraction.language_model import LanguageModel

_VERSION = 1
_MOST_ROWS, _MOST_CLASSES, _LEAST_OF_A_CLASS = 60_000, 200, 30
_N_DRAWS, _PERMUTATIONS = 10, 199
_DESIGN = FeatureDesign(n_controls=3, n_fold_seeds=2, n_bootstraps=0, n_permutations=0, n_shuffles=0)
"""Networks are the sample here, so that intervals within one are not needed."""


@dataclass(frozen=True)
class Brain:
    """A recording that features are scored against.

    Attributes
    ----------
    benchmark : str
    run : Path
        The run that keeps the records.
    """

    benchmark: str
    run: Path

    def measures(self, model: "LanguageModel", layer: str, dictionary: Dictionary) -> dict[str, float]:
        """Raw scores of features, units and untrained features, the score of features, and k90 of both.

        Parameters
        ----------
        model : LanguageModel
        layer : str
        dictionary : Dictionary
        """
        found = feature_scores(model, layer, dictionary, self.benchmark, _DESIGN, run=self.run)
        return {
            "brain_features": found.raw["features"],
            "brain_units": found.raw["neurons"],
            "brain_untrained": found.raw["untrained"],
            "brain_score_of_features": found.sae.value,
            "k90_features": float(found.table["k90"].to_dict()["features"]),
            "k90_units": float(found.table["k90"].to_dict()["neurons"]),
        }


@dataclass(frozen=True)
class InsideStudy:
    """What is learnt and measured in every network.

    Attributes
    ----------
    layer : str
    n_features : int
    active : sequence of int
        Active features of a row, a dictionary each: networks are compared where their error is the same.
    compared : int
        Active features of the dictionaries that all else is measured with.
    seeds : sequence of int
        Of the dictionaries' first weights and order; two at least.
    n_rows : int
        Rows that each dictionary sees.
    """

    layer: str
    n_features: int = 1024
    active: Sequence[int] = (4, 8, 16, 32, 64)
    compared: int = 16
    seeds: Sequence[int] = (1, 2)
    n_rows: int = 800_000

    def __post_init__(self) -> None:
        """Two seeds to compare, and two dictionaries to read between."""
        if len(set(self.seeds)) < 2 or len(set(self.active)) < 2:
            raise UserError(
                "a study inside networks needs two seeds and two numbers of active features at least"
            )


def inside_study(
    pairs: Sequence[tuple["LanguageModel", "LanguageModel"]],
    corpus: "TextCorpus",
    study: InsideStudy,
    folder: Path,
    *,
    brain: Brain | None = None,
) -> dict[str, Any]:
    """Learn what is not learnt yet, measure what is not measured yet, write ``inside.json``.

    Parameters
    ----------
    pairs : sequence of (LanguageModel, LanguageModel)
        A topographic network and its baseline twin, of one tokenizer.
    corpus : TextCorpus
        Dictionaries learn from its training texts and are measured on the others.
    study : InsideStudy
    folder : Path
        Rows, dictionaries and measures by network; a study that was interrupted goes on.
    brain : Brain, optional

    Returns
    -------
    dict
        ``networks``: the measures of each. ``answers``: by question a list of contrasts, each with the mean difference
        over networks (or pairs), 95 % interval by t, exact two-sided p of the sign-flip test, n, and Holm-corrected p
        over all contrasts.
    """
    if not pairs:
        raise UserError("a study inside networks needs a pair of networks at least")
    networks = []
    for i, pair in enumerate(pairs):
        for kind, model in zip(("topographic", "baseline"), pair, strict=True):
            one = _measured(model, corpus, study, folder, brain)
            line = _frontier(model, corpus, study, folder)
            networks.append(
                {"kind": kind, "pair": i, "identifier": model.identifier, "frontier": line, **one}
            )
    for i in range(len(pairs)):
        _at_equal_error([one for one in networks if one["pair"] == i])
    for kind in ("topographic", "baseline"):
        _across(networks, kind, pairs, corpus, study, folder)
    content = {"study": asdict(study), "networks": networks, "answers": answers(networks)}
    write_json(folder / "inside.json", finite(content))
    return content


def _measured(
    model: "LanguageModel", corpus: "TextCorpus", study: InsideStudy, folder: Path, brain: Brain | None
) -> dict[str, Any]:
    place = _place(folder, model)
    settings = [study.layer, study.n_features, study.compared, list(study.seeds), study.n_rows]
    key = digest_of(_VERSION, model.digest, corpus.digest, settings, brain.benchmark if brain else None)
    try:
        known = parse_json((place / "measures.json").read_bytes())
        if known["key"] == key:
            return dict(known)
    except (OSError, ValueError, KeyError):
        pass
    held_out, tokens, documents = _held_out(model, corpus, study.layer)
    both = [_learnt(model, corpus, study, place, study.compared, seed) for seed in study.seeds[:2]]
    measures: dict[str, Any] = {
        "key": key,
        "participation_ratio": float(participation_ratio(held_out.numpy())),
    }
    measures |= _pairs_of_seeds(both, study.compared, held_out, documents) | _mixed(both[0], held_out, tokens)
    measures |= _on_the_sheet(model, study.layer, both[0], held_out, tokens)
    if brain is not None:
        measures |= brain.measures(model, study.layer, both[0])
    measures = finite(measures)
    write_json(place / "measures.json", measures)
    return measures


def _learnt(
    model: "LanguageModel", corpus: "TextCorpus", study: InsideStudy, place: Path, k: int, seed: int
) -> Dictionary:
    path = place / f"k{k}-seed{seed}.features"
    settings = Settings(study.n_features, k, seeds=Seeds(seed, seed + 1000), n_rows=study.n_rows)
    if path.is_dir():
        known = Dictionary.load(path)
        if known.site.weights_digest == model.digest and known.facts["corpus"] == corpus.digest:
            return known
    site = Site(model.identifier, model.digest, study.layer, "token")
    rows = _training_rows(model, corpus, study.layer, place)
    made = train_dictionary(rows, settings, site=site, facts={"corpus": corpus.digest})
    made.save(path)
    return made


def _training_rows(model: "LanguageModel", corpus: "TextCorpus", layer: str, place: Path) -> TrainingRows:
    facts = {"model": model.digest, "layer": layer, "corpus": corpus.digest}
    try:
        return open_rows(place / "rows", facts=facts)
    except UserError:
        windows = token_windows(model, corpus.training)
        pieces = (one.values for one in layer_rows(model, layer, windows))
        return write_rows(pieces, place / "rows", facts=facts)


def _held_out(
    model: "LanguageModel", corpus: "TextCorpus", layer: str
) -> tuple[torch.Tensor, npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows, their tokens and their documents."""
    windows = token_windows(model, corpus.held_out)
    n = max(1, len(windows) * _MOST_ROWS // max(windows.n_tokens, _MOST_ROWS))
    windows = windows.taken(np.linspace(0, len(windows) - 1, n).astype(int))
    rows, documents, tokens = rows_by_document(model, layer, windows)
    return rows, tokens, documents


def _place(folder: Path, model: "LanguageModel") -> Path:
    return folder / model.identifier.replace(":", "_").replace("/", "_")


def _frontier(
    model: "LanguageModel", corpus: "TextCorpus", study: InsideStudy, folder: Path
) -> list[dict[str, float]]:
    """Error, active and effective features of a dictionary for each number of active features."""
    rows, _, _ = _held_out(model, corpus, study.layer)
    line = []
    for k in study.active:
        one = _learnt(model, corpus, study, _place(folder, model), k, study.seeds[0])
        found = reconstruction(one, rows)
        energy = np.asarray(codes_of_rows(one, rows).power(2).sum(axis=0)).ravel()
        line.append({"k": k, "fvu": found.fvu, "l0": found.l0, "effective": effective_number(energy)})
    return line


def _at_equal_error(networks: Sequence[dict[str, Any]]) -> None:
    """Active and effective features of the networks of a pair at an error that both reach, if there is one."""
    lines = [
        {name: [float(point[name]) for point in one["frontier"]] for name in ("fvu", "l0", "effective")}
        for one in networks
    ]
    low, high = max(min(line["fvu"]) for line in lines), min(max(line["fvu"]) for line in lines)
    if not low < high:
        return
    error = float(np.sqrt(low * high))
    for one, line in zip(networks, lines, strict=True):
        one["equal_fvu"] = error
        for name, measure in (
            ("l0", "log_l0_at_equal_fvu"),
            ("effective", "log_effective_features_at_equal_fvu"),
        ):
            one[measure] = float(np.log(frontier(line["fvu"], line[name], [error]).at[error]))


def _pairs_of_seeds(
    both: Sequence[Dictionary],
    k: int,
    rows: torch.Tensor,
    documents: npt.NDArray[np.intp],
) -> dict[str, Any]:
    """Two dictionaries of one network: by direction and by activation, beside floors."""
    one, other = both
    codes = [codes_of_rows(each, rows) for each in (one, other)]
    alive = [np.asarray((each > 0).sum(axis=0)).ravel() > 0 for each in codes]
    a, b = (each.directions.numpy()[keep] for each, keep in zip((one, other), alive, strict=True))
    matched = match_directions(a, b)
    floors = direction_floors(a, len(b), rows.numpy(), random_state=0)
    chance = codes_of_rows(untrained(other, k, random_state=99), rows)
    units = rows.numpy()
    return {
        "mmcs": matched.mmcs,
        **{f"mmcs_floor_{name}": floor.mmcs for name, floor in floors.items()},
        "seeds_features": match_activations(codes[0], codes[1], documents).held_out_median,
        "seeds_untrained": match_activations(codes[0], chance, documents).held_out_median,
        "units_to_features": match_activations(units, codes[0], documents).held_out_median,
        "features_to_units": match_activations(codes[0], units, documents).held_out_median,
    }


def _classes(tokens: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The most frequent tokens, each a class; -1 for all others."""
    names, counts = np.unique(tokens, return_counts=True)
    often = names[np.argsort(-counts, kind="stable")[:_MOST_CLASSES]]
    often = often[np.isin(often, names[counts >= _LEAST_OF_A_CLASS])]
    return np.where(np.isin(tokens, often), tokens, -1)


def _mixed(one: Dictionary, rows: torch.Tensor, tokens: npt.NDArray[np.intp]) -> dict[str, Any]:
    """How many token classes units, features, and random directions at the same rate are spread over."""
    kinds = _classes(tokens)
    known = kinds >= 0
    if known.sum() < _LEAST_OF_A_CLASS:
        raise UserError("the held-out texts hold too few frequent tokens")
    x, labels = rows[torch.from_numpy(known)], kinds[known]
    units = effective_classes(x.clamp_min(0).numpy(), labels)
    features = effective_classes(one.encode(x).dense().numpy(), labels)
    control = untrained(one, one.weights.k, random_state=99)
    chance = effective_classes(control.encode(x).dense().numpy(), labels)
    return {
        "classes_of_units": float(np.nanmedian(units)),
        "classes_of_features": float(np.nanmedian(features)),
        "classes_of_untrained": float(np.nanmedian(chance)),
    }


def _on_the_sheet(
    model: "LanguageModel", layer: str, one: Dictionary, rows: torch.Tensor, tokens: npt.NDArray[np.intp]
) -> dict[str, Any]:
    """Clustering of features beside directions of the covariance, and whether purer features lie closer together."""
    sheet = model.sheet_of_units(layer, one.n_units) or model.control_sheet(layer)
    weights = SpatialWeights.from_positions(sheet)
    kinds = _classes(tokens)
    known = torch.from_numpy(kinds >= 0)
    dense = one.encode(rows[known]).dense().numpy()
    alive = (dense > 0).sum(axis=0) >= _LEAST_OF_A_CLASS
    decoder = one.directions.numpy()[alive]
    beside = mass_comparison(decoder, rows.numpy(), weights, n_draws=_N_DRAWS, permutations=_PERMUTATIONS)
    table = mass_table(decoder, weights)
    purity = -np.log(effective_classes(dense[:, alive], kinds[known.numpy()]))
    measures: dict[str, Any] = {
        f"{measure}_{short}": float(beside[measure].to_dict()[kind])
        for kind, short in _DIRECTIONS.items()
        for measure in ("signed_I", "mass_I", "effective_units")
    }
    return measures | {
        "sheet": sheet.describe(),
        "mass_p": float(beside["mass_p"].to_dict()["features"]),
        "pure_and_clustered": _partial(purity, table["mass_I"], np.log(table["effective_units"])),
    }


_DIRECTIONS = {
    "features": "features", "covariance-matched": "matched", "data rows": "rows", "isotropic": "isotropic",
}  # fmt: skip


def _partial(one: npt.ArrayLike, other: npt.ArrayLike, beside: npt.ArrayLike) -> float:
    """Spearman correlation of two measures without what a third explains of their ranks."""
    from scipy.stats import rankdata

    values = [np.asarray(each, np.float64) for each in (one, other, beside)]
    known = np.isfinite(values).all(axis=0)
    ranks = [rankdata(each[known]) for each in values]
    basis = np.column_stack([np.ones(int(known.sum())), ranks[2]])
    left = [each - basis @ np.linalg.lstsq(basis, each, rcond=None)[0] for each in ranks[:2]]
    return float(np.corrcoef(left[0], left[1])[0, 1])


def _across(
    networks: Sequence[dict[str, Any]],
    kind: str,
    pairs: Sequence[tuple["LanguageModel", "LanguageModel"]],
    corpus: "TextCorpus",
    study: InsideStudy,
    folder: Path,
) -> None:
    """Each network beside the next of its kind, trained from another seed: units, features, untrained features."""
    of_kind = [pair[kind == "baseline"] for pair in pairs]
    mine = [one for one in networks if one["kind"] == kind]
    if len(of_kind) < 2:
        return
    seen = []
    for model in of_kind:
        rows, tokens, documents = _held_out(model, corpus, study.layer)
        place = _place(folder, model)
        one = _learnt(model, corpus, study, place, study.compared, study.seeds[0])
        chance = untrained(one, study.compared, random_state=99)
        seen.append((rows.numpy(), codes_of_rows(one, rows), codes_of_rows(chance, rows), documents, tokens))
    if any(not np.array_equal(one[4], seen[0][4]) for one in seen):
        raise UserError("networks of different tokenizers do not read the same tokens: compare those of one")
    for i, measures in enumerate(mine):
        here, there = seen[i], seen[(i + 1) % len(seen)]
        for name, which in (("units", 0), ("features", 1), ("untrained", 2)):
            match = match_activations(here[which], there[which], here[3])
            measures[f"networks_{name}"] = match.held_out_median


_CONTRASTS: tuple[tuple[str, str, str, str], ...] = (
    ("match", "features less units, between networks of other seeds", "networks_features", "networks_units"),
    ("match", "features less untrained ones, between networks", "networks_features", "networks_untrained"),
    ("match", "features less untrained ones, seeds of a dictionary", "seeds_features", "seeds_untrained"),
    (
        "match",
        "MMCS of two seeds less covariance-matched directions",
        "mmcs",
        "mmcs_floor_covariance_matched",
    ),
    ("mixed", "classes of features less classes of units", "classes_of_features", "classes_of_units"),
    ("mixed", "classes of features less untrained ones", "classes_of_features", "classes_of_untrained"),
    (
        "sheet",
        "signed I, features less directions of their covariance",
        "signed_I_features",
        "signed_I_matched",
    ),
    ("sheet", "mass I, features less directions of their covariance", "mass_I_features", "mass_I_matched"),
    ("brain", "r of features less untrained expansion", "brain_features", "brain_untrained"),
    ("brain", "r of features less units", "brain_features", "brain_units"),
    ("brain", "k90 of features less units", "k90_features", "k90_units"),
)
"""Within a network: question, words, the one, the other."""
_PAIRED = (
    ("match", "networks_features"), ("match", "networks_units"), ("match", "seeds_features"), ("match", "mmcs"),
    ("mixed", "log_l0_at_equal_fvu"), ("mixed", "log_effective_features_at_equal_fvu"),
    ("mixed", "classes_of_units"), ("mixed", "classes_of_features"), ("mixed", "participation_ratio"),
    ("sheet", "mass_I_features"), ("sheet", "pure_and_clustered"),
    ("brain", "brain_features"), ("brain", "brain_score_of_features"), ("brain", "k90_features"),
)  # fmt: skip
"""Topographic less baseline: question, measure."""
_PRIMARY = {
    "features less units, between networks of other seeds (both)",
    "log_l0_at_equal_fvu, topographic less baseline",
    "mass I, features less directions of their covariance (topographic)",
    "r of features less untrained expansion (both)",
}
"""One contrast a question, which are corrected together; all others describe."""


def answers(networks: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Every contrast with its interval and exact p; of the primary ones, one a question, also p after Holm.

    Parameters
    ----------
    networks : sequence of mapping
        ``kind``, ``pair`` and measures of each.

    Returns
    -------
    dict
        Question -> contrasts, without those that are not known of two networks at least.
    """
    by_kind = {
        kind: sorted((one for one in networks if one["kind"] == kind), key=lambda one: int(one["pair"]))
        for kind in ("topographic", "baseline")
    }
    by_kind["both"] = [_mean_of(pair) for pair in zip(*by_kind.values(), strict=True)]
    found: list[dict[str, Any]] = []
    for question, words, first, second in _CONTRASTS:
        for kind, mine in by_kind.items():
            found += _contrast(question, f"{words} ({kind})", mine, first, mine, second)
    for question, measure in _PAIRED:
        words = f"{measure}, topographic less baseline"
        found += _contrast(question, words, by_kind["topographic"], measure, by_kind["baseline"], measure)
    primary = [one for one in found if one["primary"]]
    for one, p in zip(primary, holm([one["p"] for one in primary]), strict=True):
        one["p_holm"] = p
    grouped: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        grouped.setdefault(one.pop("question"), []).append(one)
    return grouped


def _mean_of(pair: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The measures of a pair's two networks, averaged: pairs share first weights and batches."""
    shared = [name for name in pair[0] if all(isinstance(one.get(name), float) for one in pair)]
    return {name: float(np.mean([one[name] for one in pair])) for name in shared}


def _contrast(
    question: str,
    words: str,
    first: Sequence[Mapping[str, Any]],
    one: str,
    second: Sequence[Mapping[str, Any]],
    other: str,
) -> list[dict[str, Any]]:
    both = [(a.get(one), b.get(other)) for a, b in zip(first, second, strict=True)]
    known = [(a, b) for a, b in both if a is not None and b is not None and np.isfinite([a, b]).all()]
    if len(known) < 2:
        return []
    a, b = np.array(known, np.float64).T
    found = paired_difference(a, b)
    return [
        {
            "question": question, "contrast": words, "primary": words in _PRIMARY,
            "first": float(a.mean()), "second": float(b.mean()),
            "difference": found.mean, "interval": list(found.interval), "p": found.p, "n": found.n,
            "smallest_p": found.smallest_p, "left_out": len(both) - len(known),
        }
    ]  # fmt: skip
