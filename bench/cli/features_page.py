"""The command that writes a page to browse units and features."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UserError
from .common import Json, print_json, say
from .features_train import count
from .inside import Pictures, Seed, Texts, listed, network, numbers, own_dictionary, shown, site_of

if TYPE_CHECKING:
    from ...analysis.interpretability.dictionary import Dictionary
    from ...brain_data.stimulus_set import StimulusSet
    from ...models.extraction.rows import TokenWindows
    from ...models.extraction.torch_model import Network
    from ..reports.explorer.looked import Asked, Looked
    from ..reports.explorer.page import Written

_TRIED = 4000
"""Rows on which a dictionary of another library is tried."""
_LONGEST = 60
"""Letters of a model's or layer's name in names of files."""


@dataclass(frozen=True)
class Place:
    """A layer of a network, with the dictionary that is named for it, if any."""

    model: "Network"
    layer: str
    folder: Path | None
    dictionary: "Dictionary | None"


def features_page(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="One model, or two beside each other; those of the dictionaries by default.", metavar="MODEL"
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(help="May be given twice; the middle one of those on a sheet by default."),
    ] = None,
    features: Annotated[
        list[Path] | None,
        typer.Option(
            help="A dictionary of any layout that is read; may be given again. Learnt here by default.",
            metavar="FEATURES",
        ),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            help="A dictionary of another seed, one for each of --features: is a feature in it, too?",
            metavar="FEATURES",
        ),
    ] = None,
    folder: Annotated[Path, typer.Option(help="Receives the page.")] = Path("explorer"),
    single: Annotated[bool, typer.Option("--single", help="Everything in one file.")] = False,
    texts: Texts = None,
    pictures: Pictures = None,
    drawn: Annotated[
        int,
        typer.Option(min=20, help="Vision without --pictures: how many are drawn; a quarter is held out."),
    ] = 4000,
    licence: Annotated[str, typer.Option(help="Of these texts or pictures, which the page will hold.")] = "",
    benchmark: Annotated[
        list[str] | None, typer.Option(help="Whose regions are predicted; may be given again.")
    ] = None,
    describer: Annotated[
        str | None,
        typer.Option(help="A program, or an address, of yours that describes features.", metavar="CMD"),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Your own: a .csv with feature,label.", metavar="CSV")
    ] = None,
    properties: Annotated[
        str | None,
        typer.Option("--property", help="To probe, separated by commas; all that can be by default."),
    ] = None,
    material: Annotated[Path | None, typer.Option(help="A folder with texts or pictures for probes.")] = None,
    lens_texts: Annotated[
        list[str] | None, typer.Option("--text", help="Shown through the lens; may be given again.")
    ] = None,
    lesion: Annotated[
        str | None, typer.Option(help="Features to hold against 200 draws of controls: 12,40.")
    ] = None,
    without: Annotated[str | None, typer.Option(help="Sections to leave out: probes,topics ...")] = None,
    size: Annotated[
        str, typer.Option("--n-features", help="Of a dictionary that is learnt: 4096, or 8x the units.")
    ] = "8x",
    active: Annotated[
        int, typer.Option(min=1, help="Features that are active in a row, of one that is learnt.")
    ] = 16,
    rows: Annotated[str, typer.Option(help="Rows to learn from, over all passes: 500k, 3M.")] = "1M",
    seeds: Annotated[
        int,
        typer.Option(
            min=0, max=2, help="Dictionaries that are learnt for each layer; 0 for a page of units."
        ),
    ] = 2,
    most_rows: Annotated[
        int,
        typer.Option(
            min=100, help="Tokens or places that are looked at; of more, whole texts or pictures are drawn."
        ),
    ] = 100_000,
    title: Annotated[str, typer.Option(help="Of the page.")] = "",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Write a page on which people wander through the units and features of a model: open index.html by double click.

    The sheet first; then what each unit or feature answers to, in held-out texts or pictures, what it writes, where it
    lies, what it predicts of a brain, what its silence does, whether another seed has it; with controls. For example:

      brodmann features page twin-language-topographic --layer transformer.h.1.mlp.gelu --texts FOLDER

      brodmann features page --features mine.features --against seed2.features --benchmark tuckute2024.netw-ridge
    """
    from ...brain_data.probing.base import PROPERTIES
    from ...memory import OVERHEAD
    from ..benchmark import benchmark_card
    from ..reports.explorer.build import check_sections
    from ..reports.explorer.explore import explore
    from ..reports.explorer.looked import Asked, bytes_needed
    from ..reports.explorer.page import check_free

    folder = folder.expanduser()
    if folder.name in ("", ".."):  # a folder beside it is named like it
        folder = folder.resolve()
    check_free(folder)
    lesions, left_out = numbers(lesion or "", "--lesion", "numbers of features"), listed(without or "")
    check_sections(left_out)
    for name in benchmark or ():
        benchmark_card(name)
    probed = None if properties is None else listed(properties)
    for name in probed or ():
        _ = PROPERTIES[name]
    if material is not None and not material.expanduser().is_dir():
        raise UserError(f"--material {material}: there is no such folder")
    places = _places(models or [], layer or [], features or [])
    if labels is not None and len(places) > 1:
        raise UserError("--labels are of the features of one layer: make a page of that one")
    twins = _twins(against or [], places)
    work = folder.with_name(f"{folder.name}.work")
    learn = _Learning(size, active, count(rows), seeds, seed, work, as_json)
    opened = [
        _looked(one, i, places, twins, learn, (texts, pictures, drawn), most_rows)
        for i, one in enumerate(places)
    ]
    asked = Asked(
        benchmarks=tuple(benchmark or ()),
        properties=probed,
        texts=tuple(lens_texts or ()),
        lesions=lesions,
        folder=None if material is None else material.expanduser(),
        describer=describer,
        labels=None if labels is None else labels.expanduser(),
    )
    for one in opened:
        _check_numbers(one, asked)
    if not as_json:
        say(f"memory    about {(bytes_needed(opened) + OVERHEAD) / 2**30:.1f} GiB")
    written = explore(
        opened,
        folder,
        asked=asked,
        title=title,
        licence=licence,
        single=single,
        kept=work / "sections",
        left_out=left_out,
    )
    _tell(written, work, as_json)


def _check_numbers(looked: "Looked", asked: "Asked") -> None:
    """A UserError for features that are named and do not exist, before anything is made."""
    from ..studies.describer import read_labels

    n = {of: looked.count(of) for of in looked.kinds}
    wrong = [one for one in asked.lesions if not 0 <= one < n.get("feature", 0)]
    if wrong:
        raise UserError(f"--lesion: there is no feature {wrong[0]}: {looked.title} has {n.get('feature', 0)}")
    if asked.labels is not None:
        read_labels(asked.labels, n)


@dataclass(frozen=True)
class _Learning:
    """How a dictionary is learnt where none is named."""

    size: str
    active: int
    rows: int
    seeds: int
    seed: int
    work: Path
    quiet: bool

    def learnt(self, place: Place, material: "TokenWindows | StimulusSet", number: int) -> "Dictionary":
        """The dictionary of one seed; read where an earlier call has learnt it."""
        from ...analysis.interpretability.dictionary import Dictionary
        from ...analysis.interpretability.learning.of_model import digest_of_shown, train
        from ...analysis.interpretability.learning.settings import Seeds, Settings, number_of_features
        from ...files import digest_of
        from ...models.extraction.rows import count_rows

        n_different, n_units = count_rows(place.model, place.layer, material)
        n_features = number_of_features(self.size, n_units)
        seed, made_of = self.seed + number, (place.model.digest, place.layer, digest_of_shown(material))
        name = f"{_slug(place.model.identifier)[-_LONGEST:]}-{_slug(place.layer)[-_LONGEST:]}"
        numbers = f"{n_features}-{self.active}-{self.rows}-{seed}-{digest_of(*made_of)[:8]}"
        path = self.work / f"{name}-{numbers}.features"
        if path.is_dir():
            return Dictionary.load(path)
        if not self.quiet:
            say(
                f"learning  {n_features} features of {place.layer} of {place.model.identifier}, seed {seed}: {path}"
            )
        settings = Settings(
            n_features, self.active, "topk", Seeds(seed, seed), self.rows,
            min(2048, max(2, min(self.rows, n_different))),
        )  # fmt: skip
        rows = path.with_name(f"{path.name}.training")
        found = train(place.model, place.layer, material, settings, folder=rows)
        found.save(path)
        shutil.rmtree(rows)
        return found


def _places(models: Sequence[str], layers: Sequence[str], features: Sequence[Path]) -> list[Place]:
    """What the page is of, at most two layers of one model or one layer of two models, or a dictionary each."""
    if len(models) > 2 or len(layers) > 2:
        raise UserError("a page is of one or two models, and of one or two layers")
    if not models and not features:
        raise UserError("name a model, or a dictionary with --features")
    if not features:
        opened = {name: network(name) for name in models}
        if len(models) == 2 and len(layers) == 2:
            each = list(zip(models, layers, strict=True))
        else:
            each = [(name, at) for name in models for at in (layers or [_middle(opened[name])])]
        for name, at in each:
            opened[name]._asked([at])
        return [Place(opened[name], at, None, None) for name, at in each]
    for given, what in ((models, "models"), (layers, "--layer")):
        if len(given) not in (0, 1, len(features)):
            raise UserError(f"{len(features)} dictionaries and {len(given)} {what}: give one, or one each")
    found = []
    for i, path in enumerate(features):
        named, asked = (given[i if len(given) > 1 else 0] if given else None for given in (models, layers))
        if named and asked and not _is_ours(path):
            # it is read with rows of the layer, which give its scale
            found.append(Place(network(named), asked, path, None))
        else:
            dictionary = own_dictionary(path.expanduser())
            found.append(Place(*site_of(dictionary, named, asked, path), path, dictionary))
    for one in found:
        one.model._asked([one.layer])
    return found


def _is_ours(path: Path) -> bool:
    return (path.expanduser() / "features.json").is_file()


def _middle(model: "Network") -> str:
    """Of the layers that lie on a sheet the middle one."""
    on_sheet = [one for one in model.layers if model.sheet(one) is not None]
    if not on_sheet:
        raise UserError(f"{model.identifier} has no layer on a sheet to begin with: name one with --layer")
    return on_sheet[len(on_sheet) // 2]


def _twins(against: Sequence[Path], places: Sequence[Place]) -> list["Dictionary | None"]:
    if not against:
        return [None] * len(places)
    if any(one.folder is None for one in places) or len(against) != len(places):
        raise UserError("--against: give one for each of --features")
    found: list[Dictionary | None] = []
    for path, place in zip(against, places, strict=True):
        twin = own_dictionary(path.expanduser())
        if place.dictionary is not None and twin.n_units != place.dictionary.n_units:
            raise UserError(
                f"--against {path} is of {twin.n_units} units, {place.folder} of {place.dictionary.n_units}"
            )
        found.append(twin)
    return found


def _looked(
    place: Place,
    number: int,
    places: Sequence[Place],
    twins: Sequence["Dictionary | None"],
    learn: _Learning,
    material: tuple[Path | None, Path | None, int],
    most_rows: int,
) -> "Looked":
    from ...analysis.interpretability.formats.base import read_dictionary
    from ...analysis.interpretability.views.base import Inside
    from ...models.extraction.rows import drawn_part, rows_by_document
    from ..reports.explorer.looked import Looked

    *given, drawn = material
    held_out = shown(place.model, *given, part="held_out", seed=learn.seed, drawn=drawn)
    dictionary, twin = place.dictionary, twins[number]
    if place.folder is not None and not _is_ours(place.folder):
        seen = drawn_part(place.model, place.layer, held_out, _TRIED, learn.seed)
        rows, *_ = rows_by_document(place.model, place.layer, seen)
        dictionary = read_dictionary(place.folder, rows)
    elif dictionary is None and learn.seeds:
        training = shown(place.model, *given, part="training", seed=learn.seed, drawn=drawn)
        dictionary, *more = (learn.learnt(place, training, i) for i in range(learn.seeds))
        twin = more[0] if more else None
    inside = Inside(place.model, place.layer, held_out, dictionary, learn.seed, most_rows)
    key, title = _names(places)[number]
    named = next((one for one in given if one is not None), None)
    ours = (
        "drawn pictures, by brodmann"
        if inside.model.modality == "vision"
        else "Python's own documentation, PSF licence"
    )
    return Looked(key, title, inside, twin, source=ours if named is None else named.resolve().name)


def _names(places: Sequence[Place]) -> list[tuple[str, str]]:
    """Of each a key for links, and a title, with as much as tells the layers of a page apart."""
    found: list[tuple[str, str]] = []
    for place in places:
        parts = [place.model.identifier]
        if sum(one.model.identifier == parts[0] for one in places) > 1:
            parts.append(place.layer)
            same = [one for one in places if (one.model.identifier, one.layer) == (parts[0], place.layer)]
            if len(same) > 1:
                parts.append(place.folder.name if place.folder is not None else str(same.index(place) + 1))
        found.append(("-".join(_slug(one)[-_LONGEST:] for one in parts) or "site", " ".join(parts)))
    keys = [key.lower() for key, _ in found]  # some systems hold names of files equal that differ in capitals
    titles = [title for _, title in found]
    twice, alike = (len(set(one)) < len(one) for one in (keys, titles))
    return [
        (f"{key}-{i}" if twice else key, f"{title} ({i})" if alike else title)
        for i, (key, title) in enumerate(found, 1)
    ]


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")


def _tell(written: "Written", work: Path, as_json: bool) -> None:
    if as_json:
        print_json({**vars(written), "path": str(written.path), "work": str(work)})
        return
    for line in written.left_out:
        say(f"left out  {line}")
    said = ", ".join(f"{n} {of}s" for of, n in written.n.items() if n)
    say(f"page      {written.path} ({said}, {written.n_bytes / 1e6:.1f} MB): open it by double click")
    say(f"kept      {work}: dictionaries and sections, for the next time; it can be removed")
