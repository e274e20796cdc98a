"""Of volumes in time: the seconds between them, and the words or frames that ran meanwhile."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ...errors import UserError
from ...files import read_json
from ..atlases import stem_of
from ..imported import ReadOptions
from ..volumes import Image
from .table import read_table
from .trial_table import separator_of

SHORTEST_TR, LONGEST_TR = 0.05, 60.0
_MANY = 6


def check_options(options: ReadOptions, *, in_time: bool) -> None:
    """Refuse what says nothing of samples in time, or of trials, rather than pass over it."""
    for name in ("events", "stimulus_column") if in_time else ("tr",):
        if getattr(options, name) is not None:
            of = (
                "trials: words and frames are given by --stimuli"
                if in_time
                else "samples in time (--series yes)"
            )
            raise UserError(f"--{name.replace('_', '-')} is of {of}; leave it out")


def tr_of(images: Sequence[Image], options: ReadOptions) -> tuple[float, str]:
    """Seconds from volume to volume, and where that stands."""
    said = options.numbers("tr", 1)
    if said is not None:
        step, line = said[0], "as was said"
    else:
        headers = {round(one.tr, 6) if one.timed or one.tr != 1 else 0.0 for one in images}  # 1: never set
        sidecars = {round(float(one), 6) for one in map(_sidecar_tr, images) if one is not None}
        if len(headers) > 1 or len(sidecars) > 1:
            every = ", ".join(f"{one:g}" for one in sorted(sidecars if len(sidecars) > 1 else headers))
            raise UserError(f"the runs have different TRs ({every} s): take those of one by --array")
        step, line = headers.pop(), "by the header"
        if sidecars:
            beside = sidecars.pop()
            if step and abs(beside - step) > 1e-3:
                raise UserError(
                    f"{images[0].path.name} says {step:g} s from volume to volume, and the .json beside it {beside:g}: "
                    "say which by --tr"
                )
            step, line = beside, "by the .json beside the image"
    if not SHORTEST_TR <= step <= LONGEST_TR:
        words = f"{step:g} s" if step else "nothing"
        raise UserError(
            f"{images[0].path.name} says {words} of the time from volume to volume: say it by --tr, in s"
        )
    return step, f"TR {step:g} s, {line}"


def _sidecar_tr(image: Image) -> float | None:
    path = image.path.with_name(f"{stem_of(image.path)}.json")
    if not path.is_file():
        return None
    content = read_json(path)
    step = content.get("RepetitionTime") if isinstance(content, dict) else None
    if step is not None and not isinstance(step, int | float):
        raise UserError(f"{path.name}: RepetitionTime is {json.dumps(step)[:40]}, not a number of seconds")
    return None if step is None else float(step)


def stories_of(
    runs: Sequence[str], lengths: Sequence[float], folder: Path, options: ReadOptions
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The table of words or frames, the story of each run, and what to say."""
    if options.stimuli is None:
        stimuli = pd.DataFrame({"stimulus_id": runs, "story": runs, "onset": 0.0, "offset": lengths})
        return (
            stimuli,
            list(runs),
            ["no table of words or frames (--stimuli): one stimulus a run, of its own name"],
        )
    path = next(
        (one for one in (Path(options.stimuli).expanduser(), folder / options.stimuli) if one.is_file()), None
    )
    if path is None:
        raise UserError(f"no table of words or frames at {options.stimuli} (nor in {folder})")
    table = read_table(path, ("stimulus_id", "story", "word", "filename"), separator=separator_of(path))
    for needed in ("story", "onset", "offset"):
        if needed not in table:
            raise UserError(
                f"{path.name} has no column {needed}: a word or frame a row, with story, onset and offset in s"
            )
    if "stimulus_id" not in table:
        table.insert(0, "stimulus_id", [f"{one}-{i:06d}" for i, one in enumerate(table["story"])])
    known = list(dict.fromkeys(table["story"]))
    if len(runs) == 1 and len(known) == 1:
        return table, known, [f"{path.name}: the run is of {known[0]}"]
    stories = []
    for run in runs:
        fitting = [one for one in known if one == run or re.search(rf"(^|[_-]){re.escape(one)}([_-]|$)", run)]
        if len(fitting) != 1:
            raise UserError(
                f"which story of {path.name} ran in {run} is not clear: name the image after one of "
                f"{', '.join(known[:_MANY])}"
            )
        stories.append(fitting[0])
    told = table[table["story"].isin(stories)].reset_index(drop=True)
    return told, stories, [f"{path.name}: stories by the names of the images"]
