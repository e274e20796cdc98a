"""What README.md says of numbers, sentence by sentence, and the test that would notice if it were not so."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import brodmann
from brodmann.bench import ScoringOptions
from brodmann.bench.metrics.normalization import median_formula
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS, NORMALIZATIONS
from brodmann.brain_data.card import DATASETS

TESTS = Path(__file__).parent
README = " ".join((TESTS.parent / "README.md").read_text().split())
DRAWS = ScoringOptions(n_bootstraps=20, n_permutations=9)

SENTENCES = {
    "Scores of a study are those of `brodmann score`, to the digit": (
        "bench/studies/test_study.py",
        "cells_give_the_records_of_score_to_the_digit_and_under_the_same_key",
    ),
    "A score that fails stops no other": (
        "bench/studies/test_study.py",
        "a_failing_cell_stops_no_other_and_is_tried_again",
    ),
    "checksums are verified": (
        "brain_data/test_catalogue.py",
        "a_file_with_another_checksum_is_refused_and_nothing_installed",
    ),
    "score 0.397 95 % interval 0.140 to 0.654": (
        "test_readme_sentences.py",
        "the_score_on_the_page_is_what_the_command_prints",
    ),
    "`--json` prints one JSON object and nothing else": (
        "bench/cli/test_main.py",
        "json_is_one_object_and_nothing_else",
    ),
    "files that have a public address are downloaded": (
        "test_download.py",
        "files_are_downloaded_and_nothing_else_is_kept",
    ),
    "Networks run in float32 whatever their files store, and the record says both": (
        "models/weights/test_hugging_face_folder.py",
        "weights_stored_in_bfloat16_run_in_float32_and_say_so",
    ),
    "asks for another precision": (
        "models/weights/test_hugging_face_folder.py",
        "another_precision_is_asked_for_and_said",
    ),
    "every other form reads weights without executing anything": (
        "models/weights/test_hugging_face_folder.py",
        "weights_in_formats_that_could_run_code_are_not_read",
    ),
    "`--pool mean` averages feature maps over space": (
        "models/extraction/test_extraction.py",
        "pooling_over_space_is_the_mean_or_the_maximum_of_the_map",
    ),
    "multiplies by a seeded sparse random matrix": (
        "models/extraction/test_extraction.py",
        "a_sparse_projection_keeps_distances_and_follows_from_its_seed",
    ),
    "`--half` computes and keeps half precision": (
        "models/extraction/test_extraction.py",
        "half_precision_is_asked_for_and_close",
    ),
    "Extraction that was interrupted goes on where it was": (
        "models/extraction/test_extraction.py",
        "an_interrupted_extraction_goes_on_and_ends_with_the_same_bytes",
    ),
    "`cell@2` names a module's second call": (
        "models/extraction/test_reading.py",
        "each_call_of_a_module_can_be_named",
    ),
    "`blocks.3#1` the second tensor that it gives": (
        "models/extraction/test_reading.py",
        "every_tensor_that_a_module_gives_can_be_named",
    ),
    "a network whose answer changes (dropout left on, batch statistics) is refused": (
        "models/extraction/test_reading.py",
        "an_answer_that_changes_is_refused_and_nothing_is_kept",
    ),
    "or averaged with `--allow-stochastic`": (
        "models/extraction/test_reading.py",
        "passes_are_averaged_and_seeded",
    ),
    "Arrays in memory are enough": (
        "brain_data/test_arrays.py",
        "the_ceiling_of_arrays_is_that_of_their_truth",
    ),
    "Nested ridge for all folds, penalties and neuroids at once": (
        "analysis/encoding/test_nested_ridge.py",
        "agrees_with_scikit_learns_nested_search",
    ),
    "banded ridge (nothing to install; himalaya's choices) with variance partitioning": (
        "analysis/encoding/test_banded.py",
        "known_shares_are_recovered_and_noise_explains_nothing",
    ),
    "sparse encoding": (
        "analysis/encoding/test_sparse.py",
        "choices_and_predictions_are_scikit_learns",
    ),
    "bootstrapped and whitened comparison of RDMs": (
        "analysis/representation/test_rdm_comparison.py",
        "whitening_without_the_matrix_of_all_pairs_is_rsatoolboxs",
    ),
    "a topographic network and its twin without TopoLoss": (
        "models/training/test_loop.py",
        "twins_begin_with_the_same_weights_and_see_the_same_batches",
    ),
    "every spatial number beside the same one on permuted layouts and permuted labels": (
        "analysis/topography/test_report.py",
        "houses_against_faces_on_real_voxels_by_one_run_brodmann",
    ),
    "From the stored results alone": (
        "bench/reports/test_collect.py",
        "without_the_models_the_same_report_is_made_again",
    ),
    "every figure (also as PDF, with its numbers as CSV)": (
        "bench/reports/test_collect.py",
        "every_figure_has_its_numbers",
    ),
    "differences between models under common draws of the stimuli": (
        "bench/reports/test_tables.py",
        "differences_are_paired",
    ),
    "Only declared benchmarks are ranked": (
        "bench/leaderboard/storage/test_lies.py",
        "what_is_not_declared_is_shown_without_a_rank",
    ),
    "lies of a submitter are refused or held by a test": (
        "bench/leaderboard/storage/test_lies.py",
        "every_lie_is_refused_or_marked",
    ),
    "computes somebody else's score again": (
        "bench/leaderboard/test_reproduce.py",
        "somebody_else_reproduces_a_score",
    ),
    "human IT (fMRI, 4 subjects) and monkey IT (674 cells), 92 object images": (
        "test_readme_sentences.py",
        "the_table_of_recordings_has_the_numbers_of_their_cards",
    ),
    "with a known ceiling": (
        "bench/test_simulated_truth.py",
        "the_generating_process_reaches_the_ceiling_and_noise_scores_nothing",
    ),
    "decodes the recording from itself": (
        "bench/metrics/test_decoding.py",
        "clear_patterns_are_all_identified",
    ),
    "The formula has a name that is stored with it": (
        "test_readme_sentences.py",
        "each_formula_is_what_the_page_says_under_the_name_that_is_stored",
    ),
    "`ratio_of_medians` (ridge, linear: median r / sqrt(median reliability) of all neuroids)": (
        "test_readme_sentences.py",
        "no_neuroid_is_left_out_for_its_noise",
    ),
    "`r_over_r_max` (where the best r was published)": (
        "test_readme_sentences.py",
        "each_formula_is_what_the_page_says_under_the_name_that_is_stored",
    ),
    "`r_over_best_r` (RSA: r / r of a flawless model)": (
        "bench/metrics/test_rsa.py",
        "a_flawless_model_scores_1_whatever_the_number_of_subjects",
    ),
    "`r_over_ceiling` (Brain-Score language, and RSA where it is asked for; clipped)": (
        "bench/metrics/test_rsa.py",
        "the_old_normalization_is_an_option",
    ),
    "`r2_over_ceiling` (Brain-Score vision)": (
        "bench/metrics/test_brainscore_regression.py",
        "ceiling_error_and_normalisation",
    ),
    "`above_chance` (decoding)": (
        "bench/metrics/test_decoding.py",
        "noise_is_identified_at_chance",
    ),
    "A negative r never becomes a positive score": (
        "test_readme_sentences.py",
        "a_negative_r_never_becomes_a_positive_score",
    ),
    "a score above 1 is shown where the formula does not clip": (
        "test_readme_sentences.py",
        "a_score_above_1_is_shown_where_the_formula_does_not_clip",
    ),
    "`reliability` of the mean response": (
        "bench/metrics/test_neuroid_ceiling.py",
        "the_ceiling_is_the_reliability_of_the_mean_response",
    ),
    "of the very variance that r is of": (
        "bench/metrics/test_neuroid_ceiling.py",
        "variance_between_parts_is_no_part_of_the_ceiling",
    ),
    "(the best r is its square root)": (
        "bench/metrics/test_registries.py",
        "the_root_of_a_reliability_is_what_a_noiseless_model_reaches",
    ),
    "`r_max` (in units of r, e.g. published)": (
        "brain_data/test_catalogue.py",
        "the_published_ceiling_says_where_it_stands",
    ),
    "`between_subjects` (what people share who heard or saw the same: the mean r of two of them)": (
        "bench/metrics/test_series.py",
        "the_mean_correlation_of_two_is_that_of_all_pairs",
    ),
    "Words are read in the context of their story and never beyond": (
        "bench/test_series_scores.py",
        "words_that_come_later_change_nothing_earlier",
    ),
    "predicted run by run, or block by block with a gap; the null rotates the series": (
        "bench/metrics/test_series.py",
        "whole_runs_are_held_out_and_of_one_run_blocks_with_a_gap",
    ),
    "`rdm_pairwise` (r of the RDM that subjects share": (
        "bench/metrics/test_rsa.py",
        "a_flawless_model_scores_1_whatever_the_number_of_subjects",
    ),
    "with the bounds of Nili et al. beside it": (
        "bench/metrics/test_rsa.py",
        "the_bounds_over_subjects_are_those_of_their_mean_rdms",
    ),
    "`rdm` (the upper bound)": (
        "bench/metrics/test_rsa.py",
        "the_upper_bound_is_above_every_model_and_the_lower_below_it",
    ),
    "`internal_consistency` (Brain-Score's)": (
        "bench/metrics/test_brainscore_regression.py",
        "ceiling_error_and_normalisation",
    ),
    "`none` where the recordings allow no estimate": (
        "bench/metrics/test_rsa.py",
        "one_rdm_has_no_ceiling_and_the_raw_value_stands",
    ),
    "language by ridge has it by default": (
        "bench/test_beyond.py",
        "benchmarks_of_language_by_ridge_carry_them",
    ),
    "the variance that the model adds on held-out stimuli to nuisance spaces": (
        "bench/test_beyond.py",
        "added_variance_is_found_and_held_by_its_interval",
    ),
    "over the reliability, with its own interval and p": (
        "bench/test_beyond.py",
        "what_is_added_is_a_share_of_what_can_be_explained",
    ),
    "chosen on training stimuli only": (
        "bench/test_simulated_truth.py",
        "the_layer_is_chosen_on_training_stimuli",
    ),
    "`layers` holds the whole curve on held-out stimuli": (
        "bench/metrics/test_registries.py",
        "the_shapes_of_a_result",
    ),
    "are kept together by folds, intervals and p, and the record says which": (
        "bench/metrics/test_identical_stimuli.py",
        "folds_keep_them_together_and_the_record_says_so",
    ),
    "95 %, of other stimuli, training included": (
        "bench/test_simulated_truth.py",
        "the_interval_covers_the_truth_and_p_is_uniform",
    ),
    "where several subjects were recorded of other subjects": (
        "bench/metrics/test_rsa.py",
        "the_interval_is_as_wide_as_scores_differ_over_people_and_stimuli",
    ),
    "everything fitted anew": (
        "bench/metrics/test_uncertainty.py",
        "p_is_that_of_fitting_every_order_anew",
    ),
    "never 0, and the smallest that it could be is kept": (
        "test_readme_sentences.py",
        "p_is_never_0_and_the_smallest_that_it_could_be_is_kept",
    ),
    "unusable trials, voxels outside the brain, stimuli without a pair: counted, never silent": (
        "brain_data/datasets/test_zhang2011.py",
        "every_trial_is_kept_or_counted",
    ),
    "No neuroid is left out for its noise": (
        "test_readme_sentences.py",
        "no_neuroid_is_left_out_for_its_noise",
    ),
    "give Brain-Score's own digits": (
        "bench/metrics/test_brainscore_regression.py",
        "vision",
    ),
    "`pls` to 1e-4": (
        "analysis/encoding/test_pls.py",
        "agrees_with_scikit_learns_converged_solution",
    ),
    "Asking for a score again reads its record": (
        "bench/test_scoring.py",
        "asking_again_costs_nothing_and_gives_the_same",
    ),
    "a damaged file is discovered and made anew": (
        "bench/test_scoring.py",
        "a_damaged_record_is_discovered_and_made_anew",
    ),
    "A score that would not fit in memory is refused before it starts": (
        "bench/test_scoring.py",
        "work_that_would_not_fit_is_refused_before_it_starts",
    ),
    "`BRODMANN_MEMORY_GB` sets another limit": (
        "test_bounded.py",
        "what_fits_is_read_and_less_memory_refuses_it",
    ),
    "netCDF or MATLAB; NIfTI, BIDS, NWB and others are added as they are": (
        "brain_data/test_every_form.py",
        "a_form_enters_by_one_command",
    ),
    "in range, following from each other, on the declared ceilings and neuroids": (
        "bench/leaderboard/storage/test_board.py",
        "the_headline_is_made_again_from_the_neuroids",
    ),
    "Rank intervals take neuroids as drawn anew for each model": (
        "bench/leaderboard/web/test_averages.py",
        "the_interval_of_a_rank_is_that_of_independent_normals",
    ),
    "Intervals of Brain-Score's regressions (`pls`, `ridge1`, ...) hold the training stimuli fixed": (
        "test_readme_sentences.py",
        "intervals_of_brain_scores_regressions_hold_the_training_stimuli_fixed",
    ),
    "In time: predictions keep their drifts, by which a flawless model loses 2 to 5 %": (
        "calibration/test_time_series.py",
        "a_model_that_keeps_drifts_loses_little_by_them",
    ),
    "For more than 128 neuroids, p values and the training part of intervals use 128 of them, "
    "drawn by the seed; the record says so": (
        "test_readme_sentences.py",
        "more_than_128_neuroids_are_tested_on_128_of_them_and_the_record_says_so",
    ),
}
"""Words of README.md -> the file and the name of the test that holds them."""


@pytest.mark.parametrize("words", SENTENCES)
def test_a_sentence_stands_on_the_page_and_its_test_exists(words):
    file, name = SENTENCES[words]
    assert " ".join(words.split()) in README
    tree = ast.parse((TESTS / file).read_text())
    assert f"test_{name}" in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_statement_of_what_the_numbers_are_and_are_not_has_a_test():
    """Each item of the two lists, and each name of a formula, a ceiling or a metric in them."""
    text = (TESTS.parent / "README.md").read_text()
    items = [
        " ".join(item.split())
        for title in ("What the numbers are", "Limits")
        for item in re.split(
            r"^- ", text.split(f"## {title}\n")[1].split("\n## ")[0].split("\n\nLicence")[0], flags=re.M
        )[1:]
    ]
    assert len(items) >= 14
    data_alone = ("the true layout, not on the files themselves",)
    without = [
        item
        for item in items
        if not any(" ".join(words.split()) in item for words in SENTENCES | dict.fromkeys(data_alone))
    ]
    assert without == []
    formulas = set(re.findall(r"`(\w+)`", items[0]))
    assert formulas <= set(NORMALIZATIONS)
    assert {
        "ratio_of_medians",
        "r_over_r_max",
        "r_over_best_r",
        "r_over_ceiling",
        "r2_over_ceiling",
    } <= formulas


R = np.array([[0.1, 0.5, 0.9], [0.3, 0.1, 0.3]])
"""Two splits, three neuroids: the median over neuroids of mean r is .3, the mean over splits of the medians .4."""


@pytest.mark.parametrize(
    ("name", "ceiling", "value"),
    [
        ("ratio_of_medians", 0.25, 0.3 / 0.5),
        ("r_over_r_max", 0.6, 0.5),
        ("r_over_best_r", 0.8, 0.5),
        ("r_over_ceiling", 0.8, 0.5),
        ("r2_over_ceiling", 0.8, 0.4**2 / 0.8),
        ("above_chance", 0.9, (0.3 - 0.5) / 0.4),
        ("none", np.nan, 0.3),
        ("r_over_ceiling_squared", 0.8, 0.25),
    ],
)
def test_each_formula_is_what_the_page_says_under_the_name_that_is_stored(name, ceiling, value):
    shifted = R - [[0.0], [0.0]]
    shifted[1, 1] = 0.3  # medians .5 and .3
    if name in ("ratio_of_medians", "r_over_r_max", "above_chance", "none"):
        shifted = R  # means .2, .3, .6
    assert float(NORMALIZATIONS[name](shifted, np.asarray(ceiling))) == pytest.approx(value)
    assert NORMALIZATIONS[name].name == name


def test_the_formula_of_a_median_r_follows_from_the_kind_of_its_ceiling():
    kinds = {"reliability": "ratio_of_medians", "r_max": "r_over_r_max", "none": "none", "rdm": "none"}
    assert {kind: median_formula(kind).name for kind in kinds} == kinds


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_a_negative_r_never_becomes_a_positive_score(name):
    """Nor does an accuracy below chance: whatever the ceiling, the number of splits and of neuroids."""
    formula, rng = NORMALIZATIONS[name], np.random.default_rng(0)
    for _ in range(50):
        below = formula.chance - rng.random(rng.integers(1, 6, 2)) * (1 + formula.chance)
        best = np.asarray(rng.uniform(formula.chance + 0.01, 1))
        assert float(formula(below, best)) <= 0
        assert float(formula(2 * formula.chance - below, best)) > 0


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_a_score_above_1_is_shown_where_the_formula_does_not_clip(name):
    formula = NORMALIZATIONS[name]
    best = 1.0 if formula.without_ceiling is not None and name == "none" else 0.6
    value = float(formula(np.full((2, 3), 0.95), np.asarray(best)))
    if name == "none":
        assert value == pytest.approx(0.95)
    elif formula.clips:
        assert value == 1
    else:
        assert value > 1.2


def test_only_the_clipped_formula_clips():
    assert [name for name in NORMALIZATIONS if NORMALIZATIONS[name].clips] == ["r_over_ceiling"]


def made(n_stimuli=60, n_neuroids=8, noise=1.0, seed=0, with_stories=False):
    """Features, and a noisy recording that they predict; stimuli that depend on nothing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_stimuli, 6))
    signal = x @ rng.normal(size=(6, n_neuroids)) / np.sqrt(6)
    cube = signal[:, None] + noise * rng.normal(size=(n_stimuli, 4, n_neuroids))
    table = pd.DataFrame({"neuroid_id": [f"n{i}" for i in range(n_neuroids)]})
    ids = np.array([f"s{i:03d}" for i in range(n_stimuli)], object)
    stories = {"story": ids.astype(object)} if with_stories else {}
    return x, Recording("made.IT", ids, cube, None, table, stories, position=np.arange(n_stimuli))


def found(name, x, recorded, options=DRAWS):
    metric = METRICS[name].make(recorded, {})
    ceiling = metric.ceiling(recorded)
    return metric.evaluate({"layer": x}, recorded, ceiling, options), ceiling


@pytest.mark.parametrize(
    "name",
    [name for name, card in METRICS.items() if (card.reads, card.form) == ("activations", "responses")],
)
def test_p_is_never_0_and_the_smallest_that_it_could_be_is_kept(name):
    x, recorded = made(with_stories=name.startswith("language"))
    for features in (x, np.random.default_rng(1).normal(size=x.shape)):
        result, _ = found(name, features, recorded)
        smallest = result.methods["smallest_p"]
        assert 0 < smallest <= result.p <= 1
    assert found(name, x, recorded)[0].p == pytest.approx(smallest)


def test_no_neuroid_is_left_out_for_its_noise():
    """Half of the neuroids are noise alone, and count in both medians."""
    x, recorded = made(n_stimuli=200, n_neuroids=21)
    noise = np.random.default_rng(2).normal(size=recorded.cube[:, :, ::2].shape)
    recorded.cube[:, :, ::2] = noise * 3
    recorded.cube[:, :, :4] = recorded.cube[:, :, 1:2]
    result, ceiling = found("ridge", x, recorded, ScoringOptions(n_bootstraps=0, n_permutations=0))
    assert (result.n_neuroids, len(result.per_unit), dict(result.left_out)) == (21, 21, {})
    assert ceiling.per_neuroid.shape == (21,)
    assert ceiling.value == pytest.approx(np.median(ceiling.per_neuroid))
    assert result.normalization == "ratio_of_medians"
    assert result.value == pytest.approx(np.median(result.per_unit) / np.sqrt(np.median(ceiling.per_neuroid)))


def test_more_than_128_neuroids_are_tested_on_128_of_them_and_the_record_says_so():
    x, recorded = made(n_neuroids=130)
    one, again, other = (found("ridge", x, recorded, replace(DRAWS, seed=seed))[0] for seed in (0, 0, 1))
    assert "128 of 130 neuroids" in one.methods["p"]
    assert "128 of 130 neuroids" in one.methods["interval"]
    assert one.n_neuroids == len(one.per_unit) == 130
    assert (one.p, one.ci) == (again.p, again.ci)
    assert one.ci != other.ci
    few = found("ridge", *made(n_neuroids=128))[0]
    assert "neuroids" not in few.methods["p"] + few.methods["interval"]


@pytest.mark.parametrize("name", ["pls", "ridge1", "linear_predictivity", "ridgecv"])
def test_intervals_of_brain_scores_regressions_hold_the_training_stimuli_fixed(name, monkeypatch):
    """However many draws there are, nothing is fitted for them."""
    x, recorded = made()
    metric = METRICS[name].make(recorded, {})
    fitted = []

    def counting(*args):
        fitted.append(len(args[2]))
        return metric.predict(*args)

    widths = []
    for n in (0, 20, 60):
        fitted.clear()
        options = ScoringOptions(n_bootstraps=n, n_permutations=0)
        result = replace(metric, predict=counting).evaluate(
            {"layer": x}, recorded, metric.ceiling(recorded), options
        )
        widths.append((sum(fitted), result.ci))
    assert widths[0][0] == widths[1][0] == widths[2][0] > 0
    assert np.isnan(widths[0][1][0])
    assert widths[1][1][0] < widths[1][1][1]


def test_the_table_of_recordings_has_the_numbers_of_their_cards():
    facts = {
        "kriegeskorte2008": (92, 4, "92 object images"),
        "tuckute2024": (1000, 5, "1000 sentences"),
        "frank2015": (1726, 24, "1726 words in 205 sentences"),
        "tang2018": (9500, None, "9500 patterns"),
        "haxby2001-slice": (8, 1, "8 categories x 12 runs, one slice"),
        "zhang2011": (21, None, "132 neurons, single trials"),
    }
    for name, (n_stimuli, n_subjects, words) in facts.items():
        assert (DATASETS[name].card.n_stimuli, DATASETS[name].card.n_subjects) == (n_stimuli, n_subjects)
        row = re.search(rf"\| `{re.escape(name)}` \| (.*?) \|", README)[1]
        assert words in row


def test_the_score_on_the_page_is_what_the_command_prints(test_data, test_weights, tmp_path):
    """The block of README.md, line by line."""
    from brodmann.bench.cli.terminal import score_text

    brodmann.add_dataset("kriegeskorte2008", test_data / "kriegeskorte2008-92")
    brodmann.add_model("cifar10-resnet20", test_weights / "cifar10-resnets")
    scored = brodmann.score("cifar10-resnet20", "kriegeskorte2008.hIT-rsa", run=tmp_path / "run")
    printed = score_text(scored.attrs["record"])
    text = (TESTS.parent / "README.md").read_text()
    block = re.search(r"```\n(cifar10-resnet20  on .*?)```", text, re.DOTALL)[1]
    lines = [line.strip() for line in printed.splitlines()]
    assert [line for line in block.splitlines() if line.strip() and line.strip() not in lines] == []
