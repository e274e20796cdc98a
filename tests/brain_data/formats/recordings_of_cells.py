"""Sessions of cells that tests write with pynwb, as a laboratory would, with what they should give."""

import runpy
from datetime import UTC, datetime

import numpy as np


def generated(folder, seed=3, **options):
    """Poisson cells of known rates: spike times, onsets, and the stimulus of each trial."""
    return runpy.run_path(str(folder / "generator.py"))["spikes"](seed, **options)


def new_session(name="ses-01"):
    from pynwb import NWBFile
    from pynwb.file import Subject

    session = NWBFile(
        session_description="pictures shown to a monkey",
        identifier="a-long-identifier",
        session_start_time=datetime(2026, 1, 2, tzinfo=UTC),
        session_id=name,
        related_publications=["doi:10.1000/xyz"],
    )
    session.subject = Subject(subject_id="m1", species="Macaca mulatta", age="P5Y", sex="M")
    return session


def add_electrodes(session, n=4, regions=("V4", "IT"), micrometers=1.0):
    """Electrode i lies at (i, 10 i, -i) mm by default of `micrometers` = 1."""
    device = session.create_device("probe")
    groups = [
        session.create_electrode_group(f"probe{one}", description="d", location=one, device=device)
        for one in regions
    ]
    for i in range(n):
        which = i % len(regions)
        session.add_electrode(
            x=i * micrometers,
            y=10.0 * i * micrometers,
            z=-1.0 * i * micrometers,
            location=regions[which],
            group=groups[which],
        )
    return groups


def add_units(session, made, *, groups=None, quality=None, intervals=None, columns=None):
    if quality is not None:
        session.add_unit_column("quality", "what the sorter said")
    for name in columns or {}:
        session.add_unit_column(name, name)
    for i, times in enumerate(made["spike_times"]):
        more = {name: values[i] for name, values in (columns or {}).items()}
        if quality is not None:
            more["quality"] = quality[i]
        if intervals is not None:
            more["obs_intervals"] = intervals[i]
        if groups is not None:
            more["electrodes"] = [i % len(session.electrodes)]
            more["electrode_group"] = groups[i % len(groups)]
        session.add_unit(spike_times=times, id=100 + i, **more)


def add_trials(session, made, *, columns=None, ids=None):
    session.add_trial_column("stimulus_id", "the picture")
    for name in columns or {}:
        session.add_trial_column(name, name)
    for i, (start, stop, one) in enumerate(
        zip(made["onsets"], made["offsets"], made["stimulus"], strict=True)
    ):
        more = {name: values[i] for name, values in (columns or {}).items()}
        session.add_trial(
            start_time=start, stop_time=stop, stimulus_id=f"im{one:02d}" if ids is None else ids[one], **more
        )


def add_presentations(session, name, made, **columns):
    """A table as the Allen Institute's sessions have them."""
    from pynwb.epoch import TimeIntervals

    table = TimeIntervals(name=name, description=name)
    for column in columns:
        if column != "tags":  # which every such table may have, several a row
            table.add_column(column, column)
    for i, (start, stop) in enumerate(zip(made["onsets"], made["offsets"], strict=True)):
        table.add_row(
            start_time=start, stop_time=stop, **{column: values[i] for column, values in columns.items()}
        )
    session.add_time_intervals(table)


def written(session, path):
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(path), "w") as stream:
        stream.write(session)
    return path


def counted(spike_times, onsets, start, end):
    """Spikes of each cell in [onset + start, onset + end) s, by comparing every spike with every onset."""
    return np.array([[((one >= t + start) & (one < t + end)).sum() for one in spike_times] for t in onsets])
