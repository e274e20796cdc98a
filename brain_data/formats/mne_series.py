"""Continuous field potentials as samples in time, of the stories or films that ran."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError, unknown
from ..imported import Computed, Numbers, ReadOptions
from .mne_events import annotated, bad_segments, of_continuous
from .mne_files import Opened
from .mne_signals import Band, Floats, Indices, made_once, samples
from .story_words import one_story, story_words

_PIECE = 1 << 27


@dataclass(frozen=True)
class Span:
    """A stretch of a recording during which one story ran: samples ``start ... stop - 1``."""

    one: Opened
    story: str
    run: str
    start: int
    stop: int


@dataclass(frozen=True)
class Series:
    """What goes into a data set of samples in time."""

    stimuli: pd.DataFrame
    values: Numbers
    presentations: pd.DataFrame
    tr: float
    good: npt.NDArray[np.bool_] | None
    said: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)


def spans_of(one: Opened, options: ReadOptions) -> tuple[list[Span], list[str]]:
    """When each story ran: by the table of events, by annotations that last, or the whole recording.

    Raises
    ------
    UserError
        For epochs, and events that do not last or overlap.
    """
    if one.is_epochs:
        raise UserError(f"--series needs a continuous recording, and {one.path.name} holds epochs")
    if options.events is None and options.stimulus_column is None:
        story = one.run
        return [Span(one, story, one.run, 0, one.data.n_times)], [
            "story: the whole of each file, from its start (else --events FILE, or --stimulus-column description)"
        ]
    events = of_continuous(one, options) if options.events is not None else annotated(one)
    if options.events is None and options.stimulus_column != "description":
        raise unknown("column of annotations", str(options.stimulus_column), ["description"])
    lasting = np.flatnonzero(events.lengths > 0)
    if not len(lasting):
        raise UserError(
            f"{one.path.name}: no event has a duration, so that it is not known how long a story ran"
        )
    lasting = lasting[np.argsort(events.onsets[lasting], kind="stable")]
    stops = events.onsets[lasting] + events.lengths[lasting]
    if (events.onsets[lasting][1:] < stops[:-1]).any():
        raise UserError(
            f"{one.path.name}: stories overlap: of a series each event is a story, not a word in it"
        )
    many = len(lasting) > 1
    spans = [
        Span(
            one,
            str(events.trials["stimulus_id"].iloc[place]),
            f"{one.run}_{number}" if many else one.run,
            max(0, int(events.onsets[place])),
            int(min(events.onsets[place] + events.lengths[place], one.data.n_times)),
        )
        for number, place in enumerate(lasting.tolist(), start=1)
    ]
    return spans, [f"stories: {len(spans)} events that last"]


def series_of(spans: Sequence[Span], picks: Sequence[int], options: ReadOptions, band: Band | None) -> Series:
    """The samples of all spans, averaged into steps of ``--tr`` where that is said."""
    rate = spans[0].one.rate
    step = _step(options, rate)
    counts = [(span.stop - span.start) // step for span in spans]
    if not sum(counts):
        raise UserError("no story lasts as long as one step of --tr")
    stimuli, names = _stimuli(spans, options)
    rows = pd.concat(
        [
            pd.DataFrame({"stimulus_id": name, "time": np.arange(count) * step / rate, "run": span.run})
            for span, name, count in zip(spans, names, counts, strict=True)
        ],
        ignore_index=True,
    )
    heard: Counter[str] = Counter()
    repetitions = []
    for name, count in zip(names, counts, strict=True):
        repetitions.append(np.full(count, heard[name]))
        heard[name] += 1
    rows.insert(2, "repetition", np.concatenate(repetitions))
    total = sum(one.data.n_times for one in {id(span.one): span.one for span in spans}.values())
    n_outside = total - step * sum(counts)
    said = [
        f"samples: {len(rows)}, one every {step / rate:g} s" + (f" (means of {step})" if step > 1 else "")
    ]
    return Series(
        stimuli,
        _values(spans, counts, step, np.asarray(picks), band),
        rows,
        step / rate,
        _good(spans, counts, step),
        tuple(said),
        {"samples outside of stories": n_outside} if n_outside else {},
    )


def _step(options: ReadOptions, rate: float) -> int:
    said = options.numbers("tr", 1)
    if said is None:
        return 1
    step = said[0] * rate
    if round(step) < 1 or abs(step - round(step)) > 1e-6 * step:
        raise UserError(
            f"--tr {said[0]:g}: {step:g} samples are no whole number: there is one every {1 / rate:g} s"
        )
    return round(step)


def _stimuli(spans: Sequence[Span], options: ReadOptions) -> tuple[pd.DataFrame, list[str]]:
    """The table of words or frames, and what each span's story is called there."""
    names = [span.story for span in spans]
    if options.stimuli is None:
        lasts: dict[str, float] = {}
        for span in spans:
            lasts[span.story] = max(lasts.get(span.story, 0.0), (span.stop - span.start) / span.one.rate)
        stories = list(lasts)
        return pd.DataFrame(
            {"stimulus_id": stories, "story": stories, "onset": 0.0, "offset": list(lasts.values())}
        ), names
    table = story_words(options.stimuli)
    if "story" in table.columns and len(set(names)) > 1:
        known = list(dict.fromkeys(table["story"].astype(str)))
        for name in names:
            if name not in known:
                raise unknown(f"story of {options.stimuli}", name, known)
        return table, names
    if len(set(names)) > 1:
        raise UserError(f"{options.stimuli} has no column story, and there are {len(set(names))} stories")
    table, story = one_story(table, names[0], options.stimuli)
    return table, [story] * len(names)


def _good(spans: Sequence[Span], counts: Sequence[int], step: int) -> npt.NDArray[np.bool_] | None:
    good = []
    for span, count in zip(spans, counts, strict=True):
        begins = span.start + step * np.arange(count)
        mine = np.ones(count, bool)
        for a, b in bad_segments(span.one):
            mine &= (begins >= b) | (begins + step <= a)
        good.append(mine)
    whole = np.concatenate(good)
    return None if whole.all() else whole


def _values(
    spans: Sequence[Span], counts: Sequence[int], step: int, chosen: Indices, band: Band | None
) -> Computed:
    ends = np.cumsum([0, *counts])
    if band is not None:
        files = list({id(span.one): span.one for span in spans}.values())
        parts = [(one, _steps_of([(s, n) for s, n in zip(spans, counts, strict=True) if s.one is one], step))
                 for one in files]  # fmt: skip
        return made_once(parts, chosen, band, (int(ends[-1]), len(chosen), 1), is_window=True)

    def get(rows: slice, neuroids: slice) -> npt.NDArray[np.float32]:
        start, stop, stride = rows.indices(int(ends[-1]))
        channels = chosen[neuroids]
        values = np.empty((max(0, stop - start), len(channels)), np.float32)
        for span, (first, last) in zip(spans, pairwise(ends), strict=True):
            a, b = max(start, int(first)), min(stop, int(last))
            if a < b and len(channels):
                values[a - start : b - start] = _read(span, a - int(first), b - int(first), step, channels)
        return values[::stride]

    return Computed((int(ends[-1]), len(chosen)), get)


def _read(span: Span, first: int, last: int, step: int, channels: Indices) -> Floats:
    """Steps ``first ... last - 1`` of a span, (step, channel)."""
    at_once = max(1, _PIECE // (8 * step * len(span.one.data.ch_names)))
    pieces = []
    for start in range(first, last, at_once):
        stop = min(last, start + at_once)
        signal = samples(span.one, channels, span.start + start * step, span.start + stop * step)
        pieces.append(signal.reshape(len(channels), stop - start, step).mean(axis=2).T)
    return np.concatenate(pieces)


def _steps_of(mine: Sequence[tuple[Span, int]], step: int) -> Callable[[Floats], Floats]:
    def cut(signal: Floats) -> Floats:
        pieces = [signal[s.start : s.start + n * step].reshape(n, step).mean(axis=1) for s, n in mine]
        steps: Floats = np.concatenate(pieces)[:, None]
        return steps

    return cut
