"""Brain-Score's files in one folder: an assembly, its table of stimuli, and the zip of the pictures."""

import re
from pathlib import Path

from ...errors import UserError
from ..dataset import Dataset
from ..imported import Imported, ReadOptions, imported_of
from .brainio import from_brainio, to_brainio
from .recording import RecordingFormat, add_recording_format

_ASSEMBLY, _TABLE, _ARCHIVE = "assy_*.nc", "stimulus_*.csv", "stimulus_*.zip"


@add_recording_format
class BrainIo(RecordingFormat):
    """Brain-Score's files in one folder: assy_NAME.nc, stimulus_NAME.csv and, for pictures, stimulus_NAME.zip."""

    name, takes, writes = "brainio", ("window", "region", "units"), True
    loses = ("units", "license", "bibtex", "published_ceilings", "surfaces", "mask")

    def recognizes(self, path: Path) -> bool:
        """By the names that Brain-Score gives."""
        return path.is_dir() and any(path.glob(_ASSEMBLY))

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """The assembly and its stimuli; of its time bins those within the window are averaged."""
        found = [sorted(path.glob(pattern)) for pattern in (_ASSEMBLY, _TABLE, _ARCHIVE)]
        for files in found:
            if len(files) > 1:
                raise UserError(
                    f"{path} holds {files[0].name} and {files[1].name}: a folder holds one data set"
                )
        assembly, table, archive = (files[0] if files else None for files in found)
        assert assembly is not None
        window = options.numbers("window", 2)
        dataset = from_brainio(
            assembly,
            table,
            archive,
            identifier=re.sub(r"^assy_", "", assembly.stem),
            modality="language" if archive is None else "vision",
            region=options.region or "region",
            window_ms=None if window is None else (window[0], window[1]),
            about={"units": options.units} if options.units else None,
        )
        return imported_of(dataset)

    def write(self, dataset: Dataset, path: Path) -> None:
        """The same files; a series, and what lies beside responses, have no place in them."""
        if dataset.kind == "series":
            raise UserError(f"{dataset.identifier} is a series: Brain-Score's files hold responses to trials")
        to_brainio(dataset, path)
