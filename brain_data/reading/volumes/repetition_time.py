"""The seconds from volume to volume, by the header and by the sidecar."""

import json
from collections.abc import Sequence

from ....errors import UserError
from ....files import read_json
from ...imported import ReadOptions
from .atlases import stem_of
from .images import Image

SHORTEST_TR, LONGEST_TR = 0.05, 60.0


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
