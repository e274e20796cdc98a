"""Mutation testing of the modules that the numbers of a score pass through: `python tests/mutants.py FOLDER`.

mutmut changes one operator, number, argument or word at a time, runs the tests that reach the changed function, and
counts the changes that some test notices. What is tried is a sample: `--each N` of every module (0 for all), drawn by
`--seed` (the day's, so that every night tries others), for at most `--minutes`: modules come in an order that the seed
draws, none begins after that time, and those that were not reached are named. `--only WORD ...` takes the modules whose
path holds a word. The work is done in FOLDER, on a copy of the package.
"""

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

_SPATIAL, _REPRESENTATION, _ENCODING, _METRICS = (
    "analysis/spatial", "analysis/representation", "analysis/encoding", "bench/metrics",
)  # fmt: skip
_RIDGE = ("test_nested_ridge", "test_lower_penalties", "test_streamed", "test_pooled")
_REGRESSIONS = ("test_brainscore_metrics",)
_TESTS: dict[str, dict[str, tuple[str, ...]]] = {
    "brain_data": {
        "noise_ceiling": ("test_noise_ceiling",),
        "probing/splits": ("test_probing",),
        "probing/trivial": ("test_probing",),
    },
    "analysis/statistics": {
        "added_predictor": ("test_added_predictor",),
        "dependence": ("test_dependence",),
        "over_bins": ("test_over_bins",),
        "paired_tests": ("test_paired_tests",),
        "replicates": ("test_replicates",),
        "resampling": ("test_resampling",),
    },
    _SPATIAL: {
        "correlogram": ("test_correlogram",),
        "gearys_c": ("test_gearys_c",),
        "local_morans_i": ("test_local_morans_i",),
        "morans_i": ("test_morans_i",),
        "neighbors": ("test_spatial_weights", "test_morans_i"),
        "patches": ("test_patches",),
        "permutation_null": ("test_permutation_null",),
        "pinwheels": ("test_pinwheels",),
        "smoothing": ("test_smoothing",),
        "spatial_weights": ("test_spatial_weights", "test_morans_i"),
        "wiring": ("test_patches",),
    },
    _REPRESENTATION: {
        "dimensionality": ("test_dimensionality",),
        "gram": ("test_gram",),
        "rdm": ("test_rdm",),
        "rdm_comparison": ("test_rdm_comparison",),
        "recorded_dimensionality": ("test_recorded_dimensionality", "test_dimensionality"),
        "selectivity": ("test_selectivity",),
        "traces": ("test_dimensionality",),
    },
    _ENCODING: {
        "band_kernels": ("test_weighting_search",),
        "banded": ("test_banded", "test_weighting_search"),
        "banded_spaces": ("test_banded", "test_weighting_search"),
        "banded_without": ("test_banded_without",),
        "cross_validation": ("test_cross_validation",),
        "delay_profile": ("test_delay_profile",),
        "dual_solver": _RIDGE,
        "shared_residuals": _RIDGE,
        "encoding_model": ("test_estimators",),
        "estimators": ("test_estimators",),
        "fit": _RIDGE,
        "gram_eigen": _RIDGE,
        "haemodynamic_peak": ("test_haemodynamic_peak",),
        "low_rank_bands": ("test_weighting_search",),
        "nested_ridge": _RIDGE,
        "penalty_grid": _RIDGE,
        "pls": ("test_pls",),
        "pooled": ("test_pooled",),
        "sparse": ("test_sparse",),
        "two_bands": ("test_two_bands",),
        "weighting_search": ("test_weighting_search",),
    },
    "analysis/encoding/on_card": {
        "dual": ("test_ridge",),
        "features": ("test_ridge",),
        "fit": ("test_ridge",),
        "gram": ("test_transfer",),
        "memory": ("test_card_memory",),
        "pooled": ("test_dispatch",),
        "prepared": ("test_ridge",),
        "primal": ("test_ridge",),
        "products": ("test_card_products",),
        "ridge": ("test_ridge", "test_dispatch"),
        "targets": ("test_transfer",),
        "transfer": ("test_transfer",),
        "without": ("test_card_without",),
    },
    "analysis/interpretability/lenses": {
        "class_lens": ("test_class_lens",),
        "dream": ("test_dream",),
        "importance": ("test_importance",),
        "logit_lens": ("test_logit_lens",),
        "own_texts": ("test_own_texts",),
        "passes": ("test_logit_lens", "test_importance"),
        "targets": ("test_dream",),
        "steps": ("../../../bench/reports/explorer/test_sections_inside_effects",),
        "token_texts": ("test_vocabulary",),
        "topics": ("test_topics",),
        "tuned_lens": ("test_tuned_lens",),
        "unembedding": ("test_logit_lens", "test_vocabulary"),
        "vocabulary": ("test_vocabulary",),
    },
    "analysis/interpretability/probes": {
        "controls": ("test_sparse_probe",),
        "logistic": ("test_logistic",),
        "optimal_probe": ("test_optimal_probe",),
        "probe": ("test_sparse_probe",),
        "rankings": ("test_rankings",),
        "scale": ("test_sparse_probe",),
        "scores": ("test_probe_scores",),
        "single_columns": ("../../../bench/reports/explorer/test_sections_inside_probes",),
        "sparse_probe": ("test_sparse_probe",),
        "superposition": ("test_superposition",),
    },
    _METRICS: {
        "banded": ("test_banded",),
        "banded_joint": ("test_banded",),
        "accuracy": ("test_accuracy", "test_registries_of_behavior"),
        "base": ("test_base",),
        "beyond": ("test_comparison",),
        "brainscore_p": ("test_brainscore_p",),
        "brainscore_regression": _REGRESSIONS,
        "brainscore_similarity": ("test_cka",),
        "ceiling_kinds": ("test_normalization",),
        "cka": ("test_cka",),
        "decoding": ("test_decoding",),
        "function_metric": ("test_function_metric",),
        "headline": ("test_headline",),
        "i2n": ("test_i2n",),
        "identification": ("test_identification",),
        "identification_ceiling": ("test_identification_ceiling",),
        "language_linear": _REGRESSIONS,
        "language_ridge": _REGRESSIONS,
        "linear_predictivity": _REGRESSIONS,
        "neuroid_ceiling": ("test_headline",),
        "neuron_to_neuron": _REGRESSIONS,
        "normalization": ("test_normalization",),
        "nuisance": ("test_nuisance",),
        "kept_fits": ("test_kept_fits",),
        "permuted": ("test_uncertainty",),
        "pls": _REGRESSIONS,
        "rdm": ("test_whole_comparison",),
        "recording": ("test_recording", "test_sampling_by_hand"),
        "ridge": ("test_ridge", "test_penalties_told"),
        "ridge1": _REGRESSIONS,
        "ridgecv": _REGRESSIONS,
        "rsa": ("test_rsa",),
        "rsa_ceiling": ("test_rsa_ceiling",),
        "rsa_replicates": ("test_rsa_replicates",),
        "rsa_whitened": ("test_rsa_whitened",),
        "samples": ("test_series",),
        "sampling": ("test_sampling_by_hand", "test_sampling"),
        "self_decoding": ("test_decoding",),
        "series": ("test_series",),
        "subjects": ("test_series",),
        "time_courses": ("test_time_courses",),
        "spantime_pls": ("test_spantime_pls",),
        "surprisal": ("test_surprisal", "test_registries_of_behavior"),
        "triplets": ("test_triplets",),
        "uncertainty": ("test_uncertainty",),
        "whole_comparison": ("test_whole_comparison",),
        "word_predictors": ("test_surprisal",),
    },
    "analysis/interpretability/quality": {
        "activation_matching": ("test_activation_matching",),
        "check": ("test_quality",),
        "controls": ("test_quality", "test_matching"),
        "firing": ("test_quality",),
        "loss_recovered": ("test_loss_recovered",),
        "matched_error": ("test_quality",),
        "matching": ("test_matching",),
        "reconstruction": ("test_quality",),
        "splitting": ("test_quality",),
    },
    "analysis/interpretability/formats": dict.fromkeys(
        ("base", "dictionary_learning", "files", "gemma_scope", "openai", "saelens", "sparsify"),
        ("test_formats", "test_hostile"),
    ),
    "analysis/interpretability/sheets": {
        "chosen_units": ("test_chosen_units",),
        "feature_mass": ("test_feature_mass",),
        "mass_nulls": ("test_mass_nulls",),
        "polysemanticity": ("test_polysemanticity",),
        "same_place": ("test_same_place",),
    },
    "analysis/interpretability/voxels": {
        "expansions": ("test_expansions",),
        "feature_regions": ("test_feature_regions",),
        "pooling": ("test_pooling",),
        "sae_score": ("test_sae_score",),
        "sparse_voxels": ("test_sparse_voxels",),
    },
    "analysis/interpretability": {"describe": ("descriptions/test_describe",)},
    "analysis/interpretability/descriptions": {
        "appearance": ("test_appearance",),
        "base": ("test_description_scores", "test_describe"),
        "bigram": ("test_describe",),
        "classes": ("test_describe", "test_description_scores"),
        "controls": ("test_description_controls",),
        "enrichment": ("test_enrichment", "test_describe"),
        "evidence": ("test_describe",),
        "gathered": ("test_describe",),
        "nearby_words": ("test_describe", "test_nearby_words"),
        "next_token": ("test_describe",),
        "picture_labels": ("test_describe",),
        "previous_token": ("test_describe",),
        "questions": ("test_questions",),
        "scores": ("test_description_scores", "test_describe"),
        "token": ("test_describe",),
        "wording": ("test_wording", "test_describe"),
    },
    "models/topography": {"position_search": ("test_position_search",), "topoloss": ("test_topoloss",)},
    "models/extraction": {
        "in_context": ("test_surprisal",),
        "language_model": ("test_text_batches", "test_language_model", "test_passages", "test_next_token"),
        "surprisal": ("test_surprisal",),
    },
}
MODULES = {
    f"{room}/{module}.py": tuple(os.path.normpath(f"{room}/{file}.py") for file in files)
    for room, modules in _TESTS.items()
    for module, files in modules.items()
}
"""Each module, and the files of tests/ that are asked about it."""
WITHOUT_NUMBERS = {
    "analysis/representation/dimensionality_figure.py": "draws what was computed; its pictures are compared elsewhere",
    "bench/metrics/interval_words.py": "words of a record",
    "bench/metrics/series_options.py": "what a benchmark says",
    "bench/metrics/registries.py": "cards, and where they are found",
}
"""Modules of these rooms that are not broken, and why."""
QUICK = "not 200_seeds and not known_shares"
"""Tests of many seconds are not asked: each mutant that nothing notices would wait for them."""
LEAST = 85.0
"""Percent of the mutants that must be noticed."""
NOTICED = ("killed", "timeout", "segfault")
PLAIN = ("classmethod", "staticmethod", "abstractmethod", "overload")
"""Decorators that stay: mutmut knows the first two, and behind the others there is no code."""


def prepare(folder: Path) -> None:
    """A copy of the package."""
    unneeded = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info", "shared")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Path(__file__).resolve().parents[1], folder / "brodmann", ignore=unneeded)
    for module in MODULES:
        path = folder / "brodmann" / module
        path.write_text(undecorated(path.read_text()))


def undecorated(source: str) -> str:
    """The same module with `@decorator def f` as `def f; f = decorator(f)`: mutmut skips what is decorated.

    Nothing is cached: what was computed before the change would answer for it.
    """
    lines = source.splitlines()
    after: dict[int, list[str]] = {}
    tree = ast.parse(source)
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    for function in [node for body in bodies for node in body if isinstance(node, ast.FunctionDef)]:
        words = [ast.unparse(one) for one in function.decorator_list]
        if not words or any(word in PLAIN or "." in word.split("(")[0] for word in words):
            continue
        for i in range(function.decorator_list[0].lineno - 1, function.lineno - 1):
            lines[i] = ""
        indent, name = " " * function.col_offset, function.name
        kept = [word for word in reversed(words) if not word.startswith("lru_cache")]
        after[function.end_lineno or 0] = [f"{indent}{name} = {word}({name})" for word in kept]
    return "\n".join("\n".join([line, *after.get(i, [])]) for i, line in enumerate(lines, 1)) + "\n"


def configure(modules: list[str], files: tuple[str, ...]) -> None:
    """mutmut's settings, for modules about which the same tests are asked."""
    shutil.rmtree("mutants", ignore_errors=True)
    Path("mutants").mkdir()
    settings = {
        "source_paths": ["brodmann"],
        "only_mutate": [f"brodmann/{module}" for module in modules],
        "pytest_add_cli_args_test_selection": [f"brodmann/tests/{file}" for file in files],
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-k", QUICK],
        "use_git_change_detection": False,
        "timeout_multiplier": 3.0,
        "timeout_constant": 2.0,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    Path("pyproject.toml").write_text("\n".join(["[tool.mutmut]", *lines, ""]))


def run(modules: list[str], each: int, seed: int, processes: int) -> None:
    """Try a sample of the mutants of some modules, in a process of its own: mutmut keeps state."""
    from mutmut.__main__ import _run
    from mutmut.mutation import file_mutation

    all_of_them = file_mutation.create_mutations

    def some(filename: str, *args: object) -> tuple[object, ...]:
        module, mutations, *rest = all_of_them(filename, *args)
        mutations = [one for one in mutations if one.contained_by_top_level_function is not None]
        drawn = random.Random(f"{seed} {filename}").sample(
            range(len(mutations)), min(each or len(mutations), len(mutations))
        )
        return module, [mutations[i] for i in sorted(drawn)], *rest

    file_mutation.create_mutations = some
    _run((), processes)


def found(module: str) -> Counter[str]:
    """How many mutants of a module were noticed and not; their row and the unnoticed changes are printed."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code

    codes = json.loads(Path(f"mutants/brodmann/{module}.meta").read_text())["exit_code_by_key"]
    status = {name: status_by_exit_code[code] for name, code in codes.items() if code is not None}
    counts = Counter("noticed" if word in NOTICED else "unnoticed" for word in status.values())
    share = 100 * counts["noticed"] / max(len(status), 1)
    print(f"{module:48} {len(status):5} mutants  {counts['noticed']:5} noticed  {share:5.1f} %")
    for name, word in status.items():
        if word not in NOTICED:
            changed = get_diff_for_mutant(name, path=Path("brodmann") / module).splitlines()[2:]
            print(f"  {word}  {name}", *(f"    {line}" for line in changed if line[0] in "+-"), sep="\n")
    return counts


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    one = argparse.ArgumentParser(description=__doc__)
    one.add_argument("folder", type=Path)
    one.add_argument("--each", type=int, default=12)
    one.add_argument("--minutes", type=float, default=120)
    one.add_argument("--seed", type=int, default=date.today().toordinal())
    one.add_argument("--only", nargs="+", default=[""])
    one.add_argument("--processes", type=int, default=2)
    one.add_argument("--modules", nargs="+", help=argparse.SUPPRESS)
    return one


def main(given: argparse.Namespace) -> bool:
    """Whether enough was noticed, over all modules."""
    began, total, late = time.monotonic(), Counter[str](), list[str]()
    together = defaultdict(list)
    for module, files in MODULES.items():
        if any(word in module for word in given.only):
            together[files].append(module)
    groups = list(together.items())
    random.Random(given.seed).shuffle(groups)
    print(f"seed {given.seed}, {given.each or 'all'} mutants of a module", flush=True)
    for files, modules in groups:
        if time.monotonic() - began > 60 * given.minutes:
            late += modules
            continue
        configure(modules, files)
        command = [sys.executable, __file__, ".", "--each", str(given.each), "--seed", str(given.seed)]
        command += ["--processes", str(given.processes), "--modules", *modules]
        path = os.pathsep.join(
            [str(Path("mutants").resolve()), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        )
        with Path("mutmut.log").open("w") as log:
            done = subprocess.run(
                command, env=os.environ | {"PYTHONPATH": path}, stdout=log, stderr=log, check=False
            )
        if done.returncode:
            sys.exit(f"{modules}: {Path('mutmut.log').read_text()[-3000:]}")
        for module in modules:
            total += found(module)
        sys.stdout.flush()
    if late:
        print(f"not reached within {given.minutes:g} minutes:", *late)
    share = 100 * total["noticed"] / total.total()
    print(f"{total['noticed']} of {total.total()} mutants noticed: {share:.1f} %")
    return share >= LEAST


if __name__ == "__main__":
    given = parser().parse_args()
    if given.modules:
        run(given.modules, given.each, given.seed, given.processes)
    else:
        prepare(given.folder.resolve())
        os.chdir(given.folder)
        sys.exit(not main(given))
