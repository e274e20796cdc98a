"""Where the texts and pictures of properties come from: what Python brings, installed packages, folders of a user's.

Nothing of it is bundled with brodmann, and packages are read as files, not imported.
"""

import gettext
import json
import os
import re
import sysconfig
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from ...errors import NotAvailableError, UserError
from ...files import home
from ..stimuli.corpora import documents

FOLDERS = "BRODMANN_TEST_DATA"
"""A folder of data sets that is looked through after those that a user names."""
_BLANKS = re.compile(r"\s+")
_MARKUP = re.compile(r"%\([a-z_A-Z0-9]+\)[a-z]|%[sdr]|\{[^}]*\}|<[^>]*>|&[a-z]+;")
_WIKITEXT = (("@-@", "-"), ("@,@", ","), ("@.@", "."))
LANGUAGES = {"french": "fr", "german": "de", "spanish": "es", "italian": "it", "dutch": "nl"}
_LEAST_MESSAGE, _BLOCK = 12, 10
_MOST_FILES, _MOST_LETTERS = 250, 200_000
T = TypeVar("T")


@dataclass(frozen=True)
class Material:
    """What is at hand; everything is read once and when it is first asked for.

    Attributes
    ----------
    folders : tuple of Path
        Looked through in this order, themselves and the folders in them, for ``wikitext*``, ``blimp*``, ``floc*``,
        ``*langloc*``, ``topolm-stimuli``, ``kriegeskorte2008*``.
    text : Path or None
        A file or folder of running English text in place of wikitext.
    """

    folders: tuple[Path, ...] = ()
    text: Path | None = None
    _read: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def at_hand(cls, *folders: Path, text: Path | None = None) -> "Material":
        """These folders, then that of ``BRODMANN_TEST_DATA`` and the data sets that brodmann has installed.

        Raises
        ------
        UserError
            For a named folder that is none.
        """
        for folder in folders:
            if not folder.is_dir():
                raise UserError(f"{folder} is no folder: name one that holds texts or pictures")
        named = os.environ.get(FOLDERS)
        return cls((*folders, *([Path(named)] if named else []), home() / "data"), text)

    def running_text(self) -> list[str]:
        """Articles of wikitext as they are written, with its marks; or the user's own documents."""
        return self._once(
            "running text", lambda: documents(self.text or self._folder("wikitext*", "wikitext-2"))
        )

    def paragraphs(self) -> list[tuple[str, str]]:
        """Paragraphs of running text without headings and without wikitext's marks: (document, paragraph)."""

        def read() -> list[tuple[str, str]]:
            found = []
            for i, article in enumerate(self.running_text()):
                for line in article.splitlines():
                    text = plain(line)
                    if text and not text.startswith("="):
                        found.append((f"article {i:03d}", text))
            return found

        return self._once("paragraphs", read)

    def sentences(self, least: int = 6, most: int = 40) -> list[tuple[str, str]]:
        """Sentences of running text, of so many words, without unknown ones: (document, sentence)."""

        def read() -> list[tuple[str, str]]:
            return [
                (name, one)
                for name, text in self.paragraphs()
                for one in re.split(r"(?<= [.!?]) (?=[A-Z])", text)
                if least <= len(one.split()) <= most and "<unk>" not in one and one[0].isupper()
            ]

        return self._once(f"sentences {least} {most}", read)

    def python_files(self) -> list[tuple[str, str]]:
        """Python's own library: (file, source), without tests, long tables and the documentation."""

        def read() -> list[tuple[str, str]]:
            root = Path(sysconfig.get_paths()["stdlib"])
            left_out = {
                "site-packages",
                "dist-packages",
                "test",
                "tests",
                "idlelib",
                "lib2to3",
                "pydoc_data",
                "encodings",
            }
            found = []
            for path in sorted(root.rglob("*.py")):
                if left_out.isdisjoint(path.relative_to(root).parts) and path.is_file():
                    text = path.read_text(encoding="utf-8", errors="ignore")
                    if 2000 < len(text) < _MOST_LETTERS:
                        found.append((str(path.relative_to(root)), text))
            if len(found) < 10:
                raise NotAvailableError("this Python has no sources of its own library (.py files)")
            step = max(1, -(-len(found) // _MOST_FILES))
            return found[::step]

        return self._once("python files", read)

    def word_counts(self) -> Counter[str]:
        """How often lower-case words come in Python's documentation and, where it is at hand, the running text."""

        def read() -> Counter[str]:
            texts = [text for _, text in self.python_topics()]
            with suppress(NotAvailableError):
                texts += self.running_text()
            return Counter(word for text in texts for word in text.lower().split())

        return self._once("word counts", read)

    def python_topics(self) -> list[tuple[str, str]]:
        """English about Python: the topics of its own documentation, (topic, text)."""

        def read() -> list[tuple[str, str]]:
            try:
                from pydoc_data.topics import topics
            except ImportError:
                raise NotAvailableError("this Python has no pydoc_data.topics") from None
            return sorted((str(name), str(text)) for name, text in topics.items())

        return self._once("python topics", read)

    def messages(self) -> dict[str, list[tuple[str, str]]]:
        """The same messages in six languages, of Django's catalogues: language -> (part of a catalogue, message).

        Ten messages that follow one another are a part, the same in all languages: a catalogue alone is up to a third
        of all messages, and would leave too few documents to test on.

        A message that some language lacks, or leaves in English, is left out in all; names in brackets, tags and
        entities are taken out.
        """

        def read() -> dict[str, list[tuple[str, str]]]:
            root = _package("django", "Django's message catalogues: pip install --no-deps django")
            found: dict[str, list[tuple[str, str]]] = {name: [] for name in ("english", *LANGUAGES)}
            for folder in sorted(root.rglob("locale")):
                each = {name: _catalogue(folder / code) for name, code in LANGUAGES.items()}
                catalogue, n = str(folder.parent.relative_to(root)), 0
                for source in sorted(set.intersection(*(set(one) for one in each.values()))):
                    texts = {"english": _message(source)} | {
                        name: _message(one[source]) for name, one in each.items()
                    }
                    is_whole = all(len(text) >= _LEAST_MESSAGE for text in texts.values())
                    if is_whole and len({text.lower() for text in texts.values()}) == len(texts):
                        block = f"{catalogue} {n // _BLOCK}"
                        n += 1
                        for name, text in texts.items():
                            found[name].append((block, text))
            if not found["english"]:
                raise NotAvailableError(f"{root} holds no message catalogues (locale/*/LC_MESSAGES/*.mo)")
            return found

        return self._once("messages", read)

    def minimal_pairs(self) -> list[dict[str, str]]:
        """BLiMP: ``field``, ``paradigm``, ``good`` and ``bad`` of every pair."""

        def read() -> list[dict[str, str]]:
            folder = self._folder("blimp*", "blimp")
            found = []
            for path in sorted(folder.rglob("*.jsonl")):
                for line in path.read_text(encoding="utf-8").splitlines():
                    one = json.loads(line)
                    found.append(
                        {
                            "field": str(one["field"]).replace("/", "_"),
                            "paradigm": str(one["UID"]),
                            "good": str(one["sentence_good"]),
                            "bad": str(one["sentence_bad"]),
                        }
                    )
            if not found:
                raise NotAvailableError(f"{folder} holds no .jsonl files of BLiMP")
            return found

        return self._once("minimal pairs", lambda: _checked(read, "BLiMP"))

    def localizer_texts(self, pattern: str, file: str = "*.csv") -> list[tuple[str, str, str]]:
        """Texts of a language localizer in a folder of this pattern: (file, condition, text)."""
        from ..stimuli.localizers import _table

        def read() -> list[tuple[str, str, str]]:
            found = []
            for path in sorted(self._folder(pattern, pattern.strip("*")).glob(file)):
                table = _table(path)
                found += [
                    (path.stem, c, t) for c, t in zip(table["category"], table["sentence"], strict=True)
                ]
            if not found:
                raise NotAvailableError(f"no {file} in a folder {pattern}")
            return found

        return self._once(f"localizer {pattern} {file}", read)

    def lexicon(self) -> dict[str, str]:
        """Lower-case English words -> their Penn tag, of TextBlob's lexicon; words with capitals left out."""

        def read() -> dict[str, str]:
            root = _package("textblob", "TextBlob's English lexicon: pip install --no-deps textblob")
            found: dict[str, str] = {}
            for line in (root / "en" / "en-lexicon.txt").read_text(encoding="utf-8").splitlines():
                word, _, tag = line.partition(" ")
                if tag and word.isascii() and word.isalpha() and word.islower() and len(word) > 2:
                    found[word] = "" if word in found else tag.strip()
            return found

        return self._once("lexicon", read)

    def entities(self) -> dict[str, set[str]]:
        """Names by kind, ``LOC`` and ``PERS``: TextBlob's list, and the cities of the time zones for places."""

        def read() -> dict[str, set[str]]:
            import zoneinfo

            root = _package("textblob", "TextBlob's list of names: pip install --no-deps textblob")
            found: dict[str, set[str]] = {"LOC": set(), "PERS": set()}
            for line in (root / "en" / "en-entities.txt").read_text(encoding="utf-8").splitlines():
                name, _, kind = line.rpartition(" ")
                if kind in found:
                    found[kind].add(name.strip())
            for zone in zoneinfo.available_timezones():
                area, _, city = zone.rpartition("/")
                if area and not area.startswith(("Etc", "SystemV", "US")) and city.replace("_", "").isalpha():
                    found["LOC"].add(city.replace("_", " "))
            return found

        return self._once("entities", read)

    def localizer_pictures(self) -> Any:
        """The pictures of fLoc, with ``category`` and ``folder``."""
        from ..stimuli.localizers import localizer

        return self._once("floc", lambda: localizer(self._folder("floc*", "fLoc")))

    def objects92(self) -> Any:
        """The 92 objects of Kriegeskorte et al. (2008), with ``human``, ``face``, ``animal``, ``natural``."""

        def read() -> Any:
            from ..catalogue import is_installed, load_dataset

            if not is_installed("kriegeskorte2008"):
                raise NotAvailableError(
                    "the 92 objects: brodmann data add kriegeskorte2008 --from FOLDER (or without, to download)"
                )
            return load_dataset("kriegeskorte2008").stimuli

        return self._once("objects92", read)

    def _folder(self, pattern: str, name: str) -> Path:
        for folder in self.folders:
            if not folder.is_dir():
                continue
            if folder.match(pattern):
                return folder
            if within := sorted(one for one in folder.glob(pattern) if one.is_dir()):
                return within[0]
        where = ", ".join(map(str, self.folders)) or "no folders were named"
        raise NotAvailableError(f"{name}: no folder {pattern} in {where}; name one with --material")

    def _once(self, name: str, read: Callable[[], T]) -> T:
        if name not in self._read:
            try:
                self._read[name] = read()
            except NotAvailableError as error:
                self._read[name] = error
        found = self._read[name]
        if isinstance(found, NotAvailableError):
            raise found
        return found  # type: ignore[no-any-return]


def plain(text: str) -> str:
    """Without wikitext's marks, line breaks and double spaces."""
    for mark, letter in _WIKITEXT:
        text = text.replace(f" {mark} ", letter)
    return _BLANKS.sub(" ", text).strip()


def cut(
    document: str, text: str, letters: int = 220, most: int | None = None, *, layout: bool = False
) -> list[tuple[str, str]]:
    """A document in pieces of about so many letters: (document, piece).

    Parameters
    ----------
    document, text : str
    letters : int
    most : int, optional
        Pieces.
    layout : bool
        Keep line breaks and indentation and cut at ends of lines; without, blanks of all kinds are one, and it
        is cut at ends of words.
    """
    part = text if most is None else text[: 3 * most * letters]
    pieces: list[tuple[str, str]] = []
    whole, start = part if layout else plain(part), 0
    while (end := whole.find("\n" if layout else " ", start + letters)) > 0 and (
        most is None or len(pieces) < most
    ):
        if piece := whole[start:end].strip("\n"):
            pieces.append((document, piece))
        start = end + 1
    return pieces


def _package(name: str, hint: str) -> Path:
    """The folder of an installed package, which is not imported."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        raise NotAvailableError(f"{hint} (read as files; nothing of it is run)")
    return Path(spec.origin).parent


def _catalogue(folder: Path) -> dict[str, str]:
    """Messages of one language: English source -> message, singular forms."""
    found: dict[str, str] = {}
    for path in sorted((folder / "LC_MESSAGES").glob("*.mo")):
        try:
            with path.open("rb") as stream:
                messages = gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise UserError(f"{path} is no message catalogue: {error}") from error
        for key, message in messages.items():
            source = (
                key[0] if isinstance(key, tuple) and key[1] == 0 else key
            )  # (message, number) where it has a plural
            if isinstance(source, str) and source and isinstance(message, str):
                found[source.rpartition("\x04")[2]] = message
    return found


def _message(text: str) -> str:
    return _BLANKS.sub(" ", _MARKUP.sub(" ", text)).strip()


def _checked(read: Callable[[], T], what: str) -> T:
    try:
        return read()
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"the files of {what} are not as they should be: {error!r}") from error
