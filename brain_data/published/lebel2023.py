"""LeBel 2023 (ds003020): one HDF5 file a person and story, and a TextGrid a story.

``derivative/preprocessed_data/UTS03/STORY.hf5`` holds one array (sample, voxel), called ``data`` or
otherwise, and for the test story ``individual_repeats`` (repetition, sample, voxel). Samples come every 2 s;
the story begins 10 s after the scan. As released, responses lack the first 10 samples and the last 10 of the
scan, whose length ``respdict.json`` names: the first sample that is left is 10 s into the story. That holds
for the true counts known here (291 of 311 for ``wheretheressmoke``); every other story's count is checked and
a difference refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ...errors import UserError
from ...files import read_json
from ..imported import Imported
from ..published_recording import chosen, only
from ..read_options import ReadOptions
from ..reading.arrays.hdf5_nodes import stored_array
from ..reading.tables.words import read_words
from ..timeseries.textgrid import textgrid_words
from .arrays import arrays_in, hdf5
from .series import Run, last_word_before_end, presentations, stacked, stories_table

TR, FIRST_S, N_CUT = 2.0, 10.0, 20
_REPEATS, _SLACK_S = "individual_repeats", 40.0


@dataclass(frozen=True)
class _Story:
    """One person's file of one story."""

    path: Path
    array: str
    n_repeats: int
    n: int
    n_voxels: int


def read(path: Path, options: ReadOptions, about: Mapping[str, str]) -> Imported:
    """Stories as time series, people side by side.

    Parameters
    ----------
    path : Path
    options : ReadOptions
        ``subject``; ``run``, the stories; ``events``, the tier of the TextGrids that holds the words; ``stimuli``,
        a table of words in their place; ``array``, the array of a file that holds several.
    about : mapping
        What the card says.

    Raises
    ------
    UserError
        For what is missing, damaged, or does not fit.
    """
    root = next(
        one
        for name in ("derivative", "derivatives", "")
        if (one := path / name).joinpath("preprocessed_data").is_dir()
    )
    responses = root / "preprocessed_data"
    everybody = sorted(one.name for one in responses.iterdir() if any(one.glob("*.hf5")))
    wanted = options.names("subject")
    asked = None if wanted is None else [one.removeprefix("sub-") for one in wanted]
    subjects = chosen("subject", asked, everybody, "subject")
    listed = [{one.stem for one in (responses / subject).glob("*.hf5")} for subject in subjects]
    heard = sorted(set.intersection(*listed))
    stories = chosen("story", options.names("run"), heard, "run")
    if not stories:
        raise UserError(
            f"{responses}: {' and '.join(subjects)} heard no story in common: add them one by one"
        )
    words, silent = _words(root, stories, options)
    told = [story for story in stories if story in words]
    lengths = _lengths(root / "respdict.json")
    files = {
        story: [_story(responses / one / f"{story}.hf5", options.array) for one in subjects] for story in told
    }
    n_voxels = [one.n_voxels for one in next(iter(files.values()))]
    runs: list[Run] = []
    for story, each in files.items():
        _check(story, each, n_voxels, subjects, lengths)
        n_times = min(one.n_repeats for one in each)
        for number in range(max(n_times, 1)):
            name = f"{story}_repeat-{number + 1:02d}" if n_times else story
            reads = [partial(_samples, one, number if n_times else None) for one in each]
            runs.append(Run(name, story, number, each[0].n, FIRST_S, reads))
        last_word_before_end(words[story], runs[-1], TR, f"the words of {story}", _SLACK_S)
    table = stories_table(words, runs, TR)
    repeated = sorted({one.story for one in runs if one.repetition})
    table["split"] = [
        "test" if one in repeated or one == "wheretheressmoke" else "train" for one in table["story"]
    ]
    unshared = len(set.union(*listed)) - len(heard)
    left_out = {"stories that not every subject heard": unshared, "stories without words": len(silent)}
    return Imported(
        stimuli=table,
        values=stacked(runs, n_voxels),
        presentations=presentations(runs, TR),
        neuroids=pd.concat(
            [_neuroids(*one) for one in zip(subjects, n_voxels, strict=True)], ignore_index=True
        ),
        modality="language",
        kind="series",
        tr=TR,
        blocks="story",
        about=about,
        said=[
            f"{', '.join(subjects)}: {len(told)} stories, {len(runs)} runs, "
            f"{sum(one.n for one in runs)} samples of {TR:g} s",
            f"the first sample of a run is at {FIRST_S:g} s of its story: the authors cut 10 samples at each end",
            "counted against respdict.json"
            if lengths
            else "no respdict.json: lengths were held against the words alone",
            f"repeated: {', '.join(repeated) or 'none'}",
        ],
        left_out={reason: n for reason, n in left_out.items() if n},
    )


def _words(root: Path, stories: list[str], options: ReadOptions) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Story -> its words, and the stories that have none."""
    if options.stimuli is not None:
        table = read_words(Path(options.stimuli).expanduser(), ("word",))
        if "story" not in table.columns:
            raise UserError(f"{options.stimuli} has no column 'story', which says whose words they are")
        told = {str(story): rows.reset_index(drop=True) for story, rows in table.groupby("story", sort=False)}
    else:
        folder = root / "TextGrids"
        paths = {story: folder / f"{story}.TextGrid" for story in stories}
        there = {story: one for story, one in paths.items() if one.is_file()}
        told = {story: textgrid_words(one, options.events, phones="phone") for story, one in there.items()}
    found = {story: told[story] for story in stories if story in told}
    if not found:
        raise UserError(
            f"{root / 'TextGrids'} has words of none of the {len(stories)} stories (first: {stories[0]})"
        )
    return found, [story for story in stories if story not in found]


def _lengths(path: Path) -> dict[str, int]:
    if not path.is_file():
        return {}
    found = read_json(path)
    if not isinstance(found, dict) or not all(isinstance(one, int) for one in found.values()):
        raise UserError(f"{path} must say how many samples each story has: a number for each name")
    return found


def _story(path: Path, array: str | None) -> _Story:
    with hdf5(path) as file:
        flat = arrays_in(file, (2,))
        name = only(f"arrays in {path}", chosen("array", [array] if array else None, flat, "array"), "array")
        stored = stored_array(file, name, (2,))
        n, n_voxels = stored.shape
        n_repeats = 0
        if _REPEATS in file:
            repeats = stored_array(file, _REPEATS, (3,))
            n_repeats = repeats.shape[0]
            if repeats.shape[1:] != (n, n_voxels):
                raise UserError(
                    f"{path}: {_REPEATS} has shape {repeats.shape}, {name} has {stored.shape}: they differ"
                )
    return _Story(path, name, n_repeats, n, n_voxels)


def _check(
    story: str, each: list[_Story], n_voxels: list[int], subjects: list[str], lengths: dict[str, int]
) -> None:
    for one, n, subject in zip(each, n_voxels, subjects, strict=True):
        if one.n_voxels != n:
            raise UserError(f"{one.path} has {one.n_voxels} voxels, {subject}'s other stories have {n}")
        if one.n != each[0].n:
            raise UserError(
                f"{one.path} has {one.n} samples, {subjects[0]}'s has {each[0].n}: not the same story"
            )
    if lengths and story not in lengths:
        raise UserError(f"respdict.json does not name {story!r}: its samples cannot be counted")
    if lengths and each[0].n != lengths[story] - N_CUT:
        raise UserError(
            f"{each[0].path} has {each[0].n} samples: respdict.json says {lengths[story]}, of which {N_CUT} are "
            f"cut, so it must have {lengths[story] - N_CUT}"
        )


def _samples(story: _Story, repeat: int | None, first: int, last: int, voxels: slice) -> Any:
    with hdf5(story.path) as file:
        if repeat is None:
            return stored_array(file, story.array, (2,))[first:last, voxels]
        return stored_array(file, _REPEATS, (3,))[repeat, first:last, voxels]


def _neuroids(subject: str, n: int) -> pd.DataFrame:
    ids = [f"{subject}-{number}" for number in range(n)]
    return pd.DataFrame({"neuroid_id": ids, "region": "cortex", "subject": subject})
