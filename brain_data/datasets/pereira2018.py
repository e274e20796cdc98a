"""Pereira2018: Brain-Score's assembly as a recording; its two cards are those of `brainscore`."""

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError
from ..card import DATASETS
from ..formats.recording import RecordingFormat, add_recording_format

if TYPE_CHECKING:
    from ..imported import Imported
    from ..read_options import ReadOptions

_FILE = "assy_Pereira2018_*.nc"
_TASKS = ("243sentences", "384sentences")


@add_recording_format
class Pereira2018(RecordingFormat):
    """Pereira 2018 as Brain-Score keeps it: assy_Pereira2018_language.nc, one experiment at a time."""

    name = "pereira2018"
    takes = ("task", "subject")
    of_one = True

    def recognizes(self, path: Path) -> bool:
        """The assembly by its name, or the folder that it is in."""
        return path.match(_FILE) if path.is_file() else any(path.glob(_FILE))

    def read(self, path: Path, options: "ReadOptions") -> "Imported":
        """The voxels of all subjects and the sentences of one experiment, with the published ceiling."""
        from ..published.pereira2018 import read

        found = [path] if path.is_file() else sorted(path.glob(_FILE))
        if len(found) != 1:
            raise UserError(f"{path} holds {', '.join(one.name for one in found)}: name the one to read")
        if options.task not in _TASKS:
            raise UserError(
                f"{found[0].name} holds two experiments: say which by --task ({' or '.join(_TASKS)})"
            )
        return read(found[0], options, DATASETS[f"Pereira2018-{options.task}"].card)
