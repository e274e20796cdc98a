"""What a record of a recording in time says of itself, wherever it is shown."""

import pytest
from records import IN_TIME, record, world_in_time

from brodmann.bench.cli.terminal import score_text
from brodmann.bench.reports.layer_curve import counted
from brodmann.bench.reports.methods import methods
from brodmann.bench.results.as_score import describe
from brodmann.bench.results.in_time import in_time, making, of_samples
from brodmann.bench.results.record import counts

HEARD = record(
    methods=dict(IN_TIME), n_stimuli=347, ceiling_kind="between_subjects", normalization="ratio_of_medians"
)
SEEN = record()
PRINTED = {"seconds": 1.0, "file": "f"}


def test_rows_are_samples_where_the_methods_say_how_far_apart_they_are():
    assert in_time(HEARD)
    assert not in_time(SEEN)
    assert counts(HEARD) == ["347 samples", "20 neuroids"]
    assert counts(SEEN) == ["50 stimuli", "20 neuroids"]
    assert counted(HEARD) == "347 samples, 20 neuroids"
    assert counted(SEEN) == "50 stimuli, 20 neuroids"


def test_a_word_of_its_own_is_what_is_replaced():
    assert of_samples("held-out stimuli, groups of stimuli", HEARD) == "held-out samples, groups of samples"
    assert of_samples("multistimuli", HEARD) == "multistimuli"
    assert of_samples("held-out stimuli", SEEN) == "held-out stimuli"


def test_what_was_done_is_told_in_sentences():
    assert making(HEARD) == (
        "Features of words or frames are put at the samples by Lanczos' window of three lobes, one every 2 s, delayed "
        "by 2, 4, 6 and 8 s within each run, and standardized. Of each run polynomials of order 1 + half the minutes "
        "of the run are taken out of the responses, 20 s at its start and 10 s at its end are cut, and the rest is "
        "standardized. Every subject's responses are predicted by a model fitted to that subject."
    )
    assert making(SEEN) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"downsample": "hrf", "delays_s": [0.0]}, "haemodynamic response, one every 2 s, and standardized"),
        ({"downsample": "mean", "delays_s": [4.0]}, "and the next, one every 2 s, delayed by 4 s within"),
        ({"detrend": "cosine", "confounds": "out"}, "cosines slower than 1/128 Hz and the confounds are"),
        ({"detrend": 3}, "polynomials of order 3 are"),
        ({"detrend": "none"}, "its mean alone"),
        ({"trim_s": [20.0, 0.0]}, "responses, 20 s at its start are cut, and"),
        ({"trim_s": [0.0, 0.0]}, "responses, nothing is cut, and"),
    ],
)
def test_other_options_are_told_otherwise(changes, words):
    assert words in making(record(methods=IN_TIME | changes))


def test_methods_and_terminal_speak_of_samples_and_of_nothing_twice():
    said = methods(world_in_time()[0])[0]
    printed = score_text(HEARD | PRINTED, width=700)
    for text in (said, printed, describe(HEARD | {"model": "a"})):
        assert "347 samples" in text
        assert "stimuli" not in text
    assert making(HEARD) in said
    assert f"in time   {making(HEARD)}" in printed
    for key in ("downsample:", "delays s:", "trim s:", "detrend:", "gap s:", "tr:"):
        assert key not in said
    assert "groups of samples" in said
    assert "in time" not in score_text(SEEN | PRINTED)


def test_single_stimuli_stay_what_they_were():
    said = methods([SEEN])[0]
    assert "50 stimuli" in said
    assert "chosen on training stimuli" in said
    assert "samples" not in said
