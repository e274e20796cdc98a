"""The catalogue: which data sets there are, and how they are brought here and loaded."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NotAvailableError, UserError, unknown
from ..files import home, parse_toml
from ..install import install_files, verify_installed
from ..places import read_whole, restore
from .card import DATASETS, DatasetCard, check_name

if TYPE_CHECKING:
    from .dataset import Dataset
    from .read_options import ReadOptions

_DESCRIPTION = "dataset.toml"


def list_datasets(pattern: str = "*") -> list[DatasetCard]:
    """The data sets whose name matches a pattern such as ``"haxby*"``: simulated ones, others, one's own."""
    cards = sorted(_cards().values(), key=lambda card: (card.own, not card.simulated))
    return [card for card in cards if fnmatchcase(card.identifier, pattern)]


def dataset_card(name: str) -> DatasetCard:
    """What a data set is.

    Raises
    ------
    UserError
        For an unknown name, with the close matches.
    """
    for _ in range(3):  # it may be on its way to its name
        restore(_folder(name))
        cards = _cards()
        if name in cards:
            return cards[name]
    raise unknown(DATASETS.kind, name, cards, hint=DATASETS.hint)


def is_installed(name: str) -> bool:
    """Whether a data set can be loaded without bringing anything."""
    restore(_folder(name))
    return dataset_card(name).simulated or _folder(name).is_dir()


def add_dataset(
    name: str,
    source: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    check: "Callable[[Dataset], object]" = lambda dataset: None,
    options: "ReadOptions | None" = None,
    file_format: str | None = None,
) -> Path:
    """Install a data set.

    Parameters
    ----------
    name : str
        A name of the catalogue; or, with a `source`, a new name for data of one's own.
    source : path, optional
        The folder or file that holds the recording. None downloads it from its public address.
    columns : mapping of str to str, optional
        For data of one's own: our name of a column -> what the files call it, ``"ignore"``, or ``"neuroid"``.
    check : callable, optional
        Looks at what is installed; may refuse data of one's own before anything is copied.
    options : ReadOptions, optional
        What there is to say of a laboratory's recording, such as its task or the window of a trial.
    file_format : str, optional
        A name of ``RECORDING_FORMATS``, where several would read it.

    Returns
    -------
    Path
        The folder under the home that holds them now.

    Raises
    ------
    UserError
        For an unknown name, a file that is missing or does not match its checksum.
    NotAvailableError
        Where a file has no public address or cannot be downloaded.
    """
    source = None if source is None else Path(source).expanduser()
    if name not in DATASETS:
        return _add_own(name, source, columns or {}, check, options, file_format)
    if columns:
        raise UserError(
            f"{name!r} is a data set of the catalogue, whose columns are known: leave out columns"
        )
    card, fetch = DATASETS[name].card, DATASETS[name].fetch
    if card.simulated:
        raise UserError(f"data set {name!r} is made by code: there is nothing to add, load it as it is")
    target = _folder(name)
    if fetch is not None:
        fetch(target, source, options)
        if (target / _DESCRIPTION).is_file():  # a published recording is laid out as one's own
            check(load_dataset(name))
        return target
    if options is not None and options.given():
        raise UserError(f"{name!r} is a data set of the catalogue, installed whole: leave out the options")
    install_files(f"data set {name!r}", card.files, target, source=source, hint=_from_folder(name))
    return target


def load_dataset(name: str | Path) -> "Dataset":
    """Load a data set.

    Parameters
    ----------
    name : str or Path
        A name of the catalogue, the name of an installed data set of one's own, or a folder that holds one.

    Raises
    ------
    UserError
        For an unknown name or a file that is damaged.
    NotAvailableError
        Where the data set is not installed; the line says the command that installs it.
    """
    if isinstance(name, Path) or (name not in _cards() and Path(name).expanduser().is_dir()):
        from .formats.folder import load_folder

        folder = Path(name).expanduser()
        return load_folder(folder, folder.resolve().name)
    card = dataset_card(name)
    folder = _folder(card.identifier)
    return read_whole(folder, lambda: _loaded(card, folder))


def _loaded(card: DatasetCard, folder: Path) -> "Dataset":
    if card.own:
        from .formats.folder import load_folder

        return load_folder(folder, card.identifier)
    if not card.simulated:
        if not folder.is_dir():
            raise NotAvailableError(_how_to_install(card))
        what = f"data set {card.identifier!r}"
        verify_installed(what, card.files, folder, hint=_from_folder(card.identifier))
    return DATASETS[card.identifier].load(card, folder)


def _folder(name: str) -> Path:
    return home() / "data" / name


def _from_folder(name: str) -> str:
    return f"brodmann data add {name} --from FOLDER"


def _how_to_install(card: DatasetCard) -> str:
    missing = f"data set {card.identifier!r} is not installed"
    if card.access or any(file.url is None for file in card.files):
        agreed = f" ({card.access})" if card.access else ""
        return f"{missing}: {_from_folder(card.identifier)}{agreed}"
    return (
        f"{missing}: brodmann data add {card.identifier} (without a network: {_from_folder(card.identifier)})"
    )


def _add_own(
    name: str,
    source: Path | None,
    columns: Mapping[str, str],
    check: "Callable[[Dataset], object]",
    options: "ReadOptions | None",
    file_format: str | None,
) -> Path:
    if source is None:
        raise unknown(DATASETS.kind, name, DATASETS, hint=f"to add your own: {_from_folder(name)}")
    check_name(name)
    from .formats.folder import install_folder, is_own_layout
    from .formats.recording import read_path

    if not source.exists():
        raise UserError(f"data set {name!r}: there is nothing at {source}")
    if file_format is None and is_own_layout(source):
        given = [] if options is None else list(options.given())
        if given:
            raise UserError(
                f"--{given[0].replace('_', '-')} says nothing of a folder with stimuli.csv and responses: leave it out"
            )
        return install_folder(name, source, columns, check)
    named = next((f"{ours}={theirs}" for ours, theirs in columns.items() if theirs != "ignore"), None)
    if named is not None:
        raise UserError(
            f"--columns {named} is for folders with stimuli.csv and responses, which {source} is not: of its trials a "
            "column can be left out (session=ignore)"
        )
    from .importing import install_recording, without_columns

    imported = read_path(source, options, file_format)[1]
    return install_recording(name, without_columns(imported, columns), check)


def _cards() -> dict[str, DatasetCard]:
    """The registered ones by module, whichever was imported first, then a person's own."""
    return {name: DATASETS[name].card for name in sorted(DATASETS, key=DATASETS.origin)} | _own()


def _own() -> dict[str, DatasetCard]:
    """The data sets that a person installed, as far as their descriptions can be read."""
    known = {
        "title",
        "modality",
        "species",
        "technique",
        "n_subjects",
        "n_stimuli",
        "license",
        "source",
        "units",
    }
    known |= {"simulated", "regions"}
    cards = {}
    for path in sorted((home() / "data").glob(f"*/{_DESCRIPTION}")):
        name = path.parent.name
        if name in DATASETS or name.startswith("."):  # of the catalogue, or not whole
            continue
        try:
            entry = parse_toml(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            entry = {}  # it is still listed; loading it says what is wrong with the file
        plain = {key: value for key, value in entry.items() if key in known}
        plain = {"title": name, "modality": "vision"} | plain | {"regions": tuple(plain.get("regions", ()))}
        cards[name] = DatasetCard(identifier=name, **plain, own=True)
    return cards
