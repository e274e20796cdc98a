"""The metric surprisal: worlds whose partial r is known, words that are left out, and the released table."""

import numpy as np
import pandas as pd
import pytest
from behavior_worlds import world

import brodmann
from brodmann import UserError
from brodmann.bench import make_benchmark
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS
from brodmann.bench.metrics.word_predictors import previous, word_predictors
from brodmann.brain_data import Dataset

QUICK = ScoringOptions(n_bootstraps=10, n_permutations=99)


def evaluated(told, recorded, options=QUICK, **settings):
    metric = METRICS["surprisal"].make(recorded, settings)
    return metric.evaluate({"surprisal": told}, recorded, metric.ceiling(recorded), options)


@pytest.mark.parametrize("effect", [0.3, -0.3])
def test_the_partial_r_of_a_known_effect_is_found_with_its_sign(effect):
    found = evaluated(*world(effect=effect))
    truth = effect / np.sqrt(1 + effect**2)
    assert found.raw == found.value == pytest.approx(truth, abs=0.06)
    assert found.ci[0] < truth < found.ci[1]
    assert found.p == 0.01
    assert found.methods["delta_log_likelihood"] == pytest.approx(-0.5 * np.log(1 - truth**2), abs=0.02)
    assert (found.n_stimuli, found.n_neuroids, found.left_out) == (1200, 1, {})
    assert found.normalization == "none"


def test_what_length_and_frequency_explain_is_not_surprisals():
    """Alone, surprisal goes with times, because both go with frequency."""
    found = [evaluated(*world(seed)) for seed in range(5)]
    assert min(abs(one.methods["r"]) for one in found) > 0.1
    assert max(abs(one.raw) for one in found) < 0.08
    assert np.mean([one.p for one in found]) > 0.2
    assert np.mean([one.methods["delta_log_likelihood"] for one in found]) < 0.002


def test_what_spills_over_is_of_the_word_before():
    told, recorded = world(effect=0.0, spilled=0.4)
    found = evaluated(told, recorded, spill_over=1)
    assert abs(found.raw) < 0.08
    before = float(found.methods["partial_r_of_words_before"][0].split()[0])
    assert before == pytest.approx(0.37, abs=0.06)
    assert found.left_out == {"words without the 1 before them, or what these lack": 10}
    assert found.n_stimuli == 1190


def test_neuroids_are_summarized_by_their_median_and_one_that_never_varies_is_zero():
    told, recorded = world(effect=0.3, n_neuroids=5)
    recorded.cube[..., 0] = 7.0
    found = evaluated(told, recorded)
    assert found.per_unit[0] == 0
    assert found.raw == pytest.approx(np.median(found.per_unit))
    assert found.raw > 0.2
    assert found.left_out == {"neuroids that do not vary (counted as r = 0)": 1}


def test_words_that_lack_something_are_left_out_and_counted():
    told, recorded = world(effect=0.3)
    told[:7] = np.nan
    recorded.columns["log_frequency"][100:103] = None
    recorded.columns["word"][200:204] = "end."
    found = evaluated(told, recorded, spill_over=2, leave_out=["sentence_end"])
    assert found.left_out == {
        "texts without surprisal": 7,
        "words without log_frequency": 3,
        "words with sentence_end": 4,
        "words without the 2 before them, or what these lack": 2 + 2 + 18,
    }
    assert found.n_stimuli == 1200 - 7 - 3 - 4 - 22


def test_the_interval_holds_the_truth_where_residuals_drift_and_stories_are_ten():
    truth = 0.15 / np.sqrt(1 + 0.15**2)
    hits = []
    for seed in range(30):
        options = ScoringOptions(n_bootstraps=1, n_permutations=0)
        low, high = evaluated(*world(seed, effect=0.15, autocorrelation=0.7), options).ci
        hits.append(low < truth < high)
    assert np.mean(hits) >= 0.83


def test_sentences_of_a_few_words_and_stories_of_many_give_the_same_partial_r():
    told, recorded = world(effect=0.3)
    recorded.columns["sentence_number"] = np.repeat(np.arange(120), 10).astype(object)
    found = [
        evaluated(told, recorded, group=group, nuisance=["length"]).raw
        for group in ("sentence_number", "story")
    ]
    assert found[0] == pytest.approx(found[1])


def test_predictors_of_words():
    words = np.array(["The", "dog's", "bone,", "(well-known)", "the", 'end."'], object)
    recorded = Recording(
        "made.reading", np.array(list("abcdef"), object), np.zeros((6, 1, 1)), None, pd.DataFrame(), {"word": words}
    )  # fmt: skip
    names = ("length", "log_frequency", "position", "punctuation", "sentence_end")
    found = word_predictors(recorded, names, np.array([0, 0, 0, 1, 1, 1])).values
    assert found["length"].tolist() == [3, 5, 4, 10, 3, 3]
    np.testing.assert_allclose(found["log_frequency"], np.log([2, 1, 1, 1, 2, 1]))
    assert found["position"].tolist() == [1, 2, 3, 1, 2, 3]
    assert found["punctuation"].tolist() == [0, 0, 1, 1, 0, 0]
    assert found["sentence_end"].tolist() == [0, 0, 0, 0, 0, 1]


def test_the_word_before_is_one_place_earlier_in_the_same_story_whatever_the_order_of_rows():
    columns = {"word": np.array(list("abcdef"), object), "position": np.array([3, 1, 2, 1, 2, 4], object)}
    recorded = Recording(
        "m.r", np.array(list("uvwxyz"), object), np.zeros((6, 1, 1)), None, pd.DataFrame(), columns
    )
    assert previous(recorded, np.array([0, 0, 0, 1, 1, 1])).tolist() == [2, -1, 1, -1, 3, -1]


def test_wrong_options_are_one_line():
    _, recorded = world()
    for options, said in [
        ({"nuisance": "length"}, "nuisance must be a list of names"),
        ({"nuisance": ["lenght"]}, "unknown nuisance of made.reading 'lenght': did you mean 'length'"),
        ({"nuisance": ["story"]}, "the column 'story' holds no numbers"),
        ({"spill_over": -1}, "spill_over must be a number of words"),
        ({"group": "colour"}, "unknown stimulus column of made.reading 'colour'"),
    ]:
        with pytest.raises(UserError, match=said):
            METRICS["surprisal"].make(recorded, options)


def reading(**columns):
    told, recorded = world(effect=0.5)
    stimuli = pd.DataFrame({"stimulus_id": recorded.stimulus_ids} | recorded.columns | columns)
    stimuli["log_frequency"] = stimuli["log_frequency"].astype(float)
    return told, Dataset.from_arrays("made", recorded.cube[:, 0], stimuli, region="reading")


def test_a_column_is_scored_as_a_model_and_the_record_comes_back(tmp_path):
    told, data = reading(known=world(effect=0.5)[0][:, 0])
    benchmark = make_benchmark(data, metric="surprisal", context="passage")
    first, again = (
        brodmann.score("column:known", benchmark, run=tmp_path, n_bootstraps=5, n_permutations=19)
        for _ in range(2)
    )
    assert again.attrs["cached"]
    assert not first.attrs["cached"]
    assert float(first) == float(again) == pytest.approx(0.45, abs=0.05)
    record = again.attrs["record"]
    assert record["methods"]["surprisal"] == "the column 'known' of the stimuli"
    assert record["methods"]["context"] == "each text after the earlier ones of its passage"
    assert record["layers"] == {"surprisal": record["raw"]}
    assert len(told) == record["n_stimuli"]


def test_what_cannot_be_asked_is_one_line(tmp_path):
    _, data = reading()
    benchmark = make_benchmark(data, metric="surprisal")
    with pytest.raises(UserError, match="unknown column of the stimuli 'known'"):
        brodmann.score("column:known", benchmark, run=tmp_path)
    with pytest.raises(UserError, match="gives no probabilities of words"):
        brodmann.score("word-length-frequency", benchmark, run=tmp_path)
    with pytest.raises(UserError, match="compares surprisal, which no layer has: leave out features"):
        brodmann.score("word-length-frequency", benchmark, ["features"], run=tmp_path)
    with pytest.raises(UserError, match="the metric surprisal has no variance to divide"):
        brodmann.score("column:log_frequency", benchmark, run=tmp_path, beyond=["position"])


def test_a_column_is_a_layer_of_one_unit(tmp_path):
    _, data = reading()
    found = brodmann.score(
        "column:log_frequency", make_benchmark(data, metric="ridge"), run=tmp_path, n_permutations=0
    )
    assert found.attrs["raw_value"] > 0.1


def test_the_released_correlations_by_the_same_code(test_data, tmp_path):
    brodmann.add_dataset("frank2015", test_data / "frank2015-erp")
    quick = {"run": tmp_path, "n_bootstraps": 1, "n_permutations": 99}
    n400 = brodmann.score("column:surprisal_gpt2", "frank2015.N400-surprisal", **quick).attrs["record"]
    paced = brodmann.score("column:surprisal_gpt2", "frank2015.self-paced-surprisal", **quick).attrs["record"]
    assert n400["methods"]["r"] == pytest.approx(0.076, abs=5e-4)
    assert paced["methods"]["r"] == pytest.approx(0.259, abs=5e-4)
    assert (
        n400["methods"]["r_of_kept"] < -0.2
    )  # last words, whose N400 is positive, and commas are not among them
    assert n400["raw"] == pytest.approx(-0.134, abs=5e-3)
    assert n400["ci"][1] < 0
    assert n400["p"] == 0.01
    assert n400["left_out"]["words without log_frequency"] == 30


def test_the_word_before_is_that_of_the_table_where_positions_begin_anew_with_every_sentence():
    columns = {"word": np.array(list("abcdef"), object), "position": np.array([1, 2, 3, 1, 2, 3], object)}
    recorded = Recording(
        "m.r", np.array(list("uvwxyz"), object), np.zeros((6, 1, 1)), None, pd.DataFrame(), columns
    )
    assert previous(recorded, np.zeros(6, np.intp)).tolist() == [-1, 0, 1, -1, 3, 4]


def test_marks_of_other_keyboards_end_a_sentence():
    words = np.array(["end.\u201d", "so\u2026", "\u65e5\u672c\u3002", "no,\u201d", "\u201cyes"], object)
    recorded = Recording(
        "m.r", np.array(list("abcde"), object), np.zeros((5, 1, 1)), None, pd.DataFrame(), {"word": words}
    )
    found = word_predictors(recorded, ("punctuation", "sentence_end"), np.zeros(5, np.intp)).values
    assert found["sentence_end"].tolist() == [1, 1, 1, 0, 0]
    assert found["punctuation"].tolist() == [0, 0, 0, 1, 0]


def test_an_infinite_number_in_a_column_is_one_line(tmp_path):
    told = world()[0][:, 0]
    told[3] = np.inf
    _, data = reading(given=told)
    with pytest.raises(UserError, match="the column 'given' of the stimuli is infinite for 1 of them"):
        brodmann.score("column:given", make_benchmark(data, metric="surprisal"), run=tmp_path)


def test_words_of_a_story_that_a_model_reads_alone_are_said_to_be(tmp_path):
    stimuli, told = reading()[1].stimuli, {}
    model = brodmann.load_model(f"5-gram:{_corpus(tmp_path)}")
    assert make_benchmark(reading()[1], metric="surprisal").card.context == "passage"
    for context in ("none", "passage"):
        benchmark = make_benchmark(reading()[1], metric="surprisal", context=context)
        score = brodmann.score(model, benchmark, run=tmp_path / "run", n_bootstraps=0, n_permutations=0)
        told[context] = score.attrs["record"]["methods"].get("reading", "")
    assert "story" in stimuli
    assert told["none"].startswith("each word alone, whatever stands before it in its story")
    assert told["passage"] == ""


def _corpus(folder):
    text = "\n".join(
        f"the {one} ran to a {one} and then abc came ." for one in "abcdefghijklmn" for _ in range(3)
    )
    (folder / "corpus.txt").write_text(text, encoding="utf-8")
    return folder / "corpus.txt"
