"""allen-ecephys: one Neuropixels session of the Allen Institute's visual coding, in NWB."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError
from ..card import DatasetCard
from ..formats.recording import RECORDING_FORMATS, read_recording
from ..published_recording import PublishedRecording, add_card, chosen, only

if TYPE_CHECKING:
    from ..imported import Imported
    from ..read_options import ReadOptions


@add_card
class AllenEcephys(PublishedRecording):
    """Visual coding of the Allen Institute: session_ID/session_ID.nwb, one session at a time.

    A session is an NWB file: the format ``nwb`` reads it, with the natural scenes as trials and ``frame`` as their
    picture unless the options say otherwise. The names of the table and of its columns are those of the institute's
    own documentation; no true session was seen.
    """

    name = "allen-ecephys"
    layout = "session_715093703/session_715093703.nwb (or session_715093703.nwb)"
    card = DatasetCard(
        "allen-ecephys",
        "Allen Brain Observatory, visual coding: units of one Neuropixels session, mouse, 118 natural scenes",
        modality="vision",
        species="mouse",
        technique="electrophysiology (Neuropixels)",
        regions=("VISp", "VISl", "VISrl", "VISal", "VISpm", "VISam", "LGd", "LP"),
        license="Allen Institute terms of use: research and other noncommercial use, with citation",
        source="https://allensdk.readthedocs.io/en/latest/visual_coding_neuropixels.html",
        units="spikes/s",
        options={
            "address": "https://allen-brain-observatory.s3.us-west-2.amazonaws.com/visual-coding-neuropixels/"
            "ecephys-cache/{name}"
        },
        bibtex="""@article{siegle2021,
  title = {Survey of spiking in the mouse visual system reveals functional hierarchy},
  author = {Siegle, Joshua H. and Jia, Xiaoxuan and Durand, S{\\'e}verine and Gale, Sam and Bennett, Corbett and \
Graddis, Nile and Heller, Greggory and Ramirez, Tamina K. and Choi, Hannah and Luviano, Jennifer A. and others},
  journal = {Nature},
  volume = {592},
  pages = {86--92},
  year = {2021},
  doi = {10.1038/s41586-020-03171-x}
}""",
    )

    @property
    def takes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the NWB format, and which session."""
        return ("session", *RECORDING_FORMATS["nwb"].takes)

    def recognizes(self, path: Path) -> bool:
        """A folder with sessions of the institute."""
        return bool(_sessions(path))

    def read(self, path: Path, options: "ReadOptions") -> "Imported":
        """The session that was asked for, as NWB is read."""
        found = _sessions(path)
        session = only(
            "sessions", chosen("session", options.names("session"), list(found), "session"), "session"
        )
        usual = {"events": "natural_scenes_presentations", "stimulus_column": "frame"}
        given = options.given()
        asked = replace(
            options, session=None, **{name: value for name, value in usual.items() if name not in given}
        )
        imported = read_recording(found[session], asked, RECORDING_FORMATS["nwb"])
        return replace(
            imported, about={**imported.about, **self.about()}, said=[f"session {session}", *imported.said]
        )

    def wanted(self, options: "ReadOptions") -> list[str]:
        """One session's file, about 2 GB."""
        asked = options.names("session") or []
        if len(asked) != 1 or not asked[0].isdecimal():
            raise UserError("say the session to download by --session, e.g. 715093703 (1.5 to 3 GB)")
        return [f"session_{asked[0]}/session_{asked[0]}.nwb"]


def _sessions(path: Path) -> dict[str, Path]:
    places = sorted([*path.glob("session_*.nwb"), *path.glob("session_*/session_*.nwb")])
    return {one.stem.removeprefix("session_"): one for one in places}
