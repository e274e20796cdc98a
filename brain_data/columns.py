"""What a stranger's tables call things, in our words: ``stimulus_id=image,trial=ignore``."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

import pandas as pd

from ..errors import UserError, unknown

Held = TypeVar("Held")

PRESENTATION = ("stimulus_id", "repetition", "subject", "run", "session")
TIMED = (*PRESENTATION, "time")
"""And when each was, where a person said so."""
NEUROID = ("neuroid_id", "region", "subject_id", "x", "y", "z")
COORDINATES = (*PRESENTATION, *NEUROID)
_IGNORE, _NEUROID = "ignore", "neuroid"
_NUMBER = r"(no|num|number|id|ids|index|name|label)"
_ASKED: Mapping[str, str] = {
    rf"trials?{_NUMBER}?|index|idx|level0|unnamed\d+|rows?{_NUMBER}?|order|position|events?{_NUMBER}?": "",
    r"times?(stamps?)?|dates?|datetime|day|((stim(ulus)?)?onset|start|end)s?(times?)?": "time",
    r"durations?|(response|reaction)times?|rts?|trs?|fixations?|buttonpress(es)?": "",
    rf"(sub|subj|subject|participant|patient|monkey|animal|mouse)s?{_NUMBER}?": "subject",
    rf"(rep|repeat|repetition)s?{_NUMBER}?": "repetition",
    rf"runs?{_NUMBER}?": "run",
    rf"(ses|sess|session)s?{_NUMBER}?": "session",
    rf"(block|condition|category|categorie|label|group|story|storie|passage|scene)s?{_NUMBER}?": "",
    rf"(object|file|region|neuroid)s?{_NUMBER}?": "",
    r"((correct)?responses?)?accuracy|correct(responses?)?|ages?|scans?|volumes?|frames?|split|paths?": "",
    rf"(stim|stimulus|stimuli|image|picture|item|word|sentence|text)s?{_NUMBER}?": "",
}
"""What a column of responses is called that is hardly a neuroid, and which of our coordinates it may be."""


class ColumnMap:
    """Our name of a column -> theirs; ``ignore`` leaves a column out, ``neuroid`` says that it is one.

    Attributes
    ----------
    columns : mapping of str to str
    seen : set of str
        Columns of the tables that were mapped.
    of_stimuli : set of str
        Columns of the table of stimuli, as the files call them.
    """

    def __init__(self, columns: Mapping[str, str] | None = None) -> None:
        self.columns = dict(columns or {})
        self.seen: set[str] = set()
        self.of_stimuli: set[str] = set()

    def of_names(self, names: Iterable[str], where: str) -> dict[str, str]:
        """Our names of the columns of one table, in order, and theirs.

        Raises
        ------
        UserError
            Where two columns would have one name.
        """
        theirs = list(names)
        self.seen |= set(theirs)
        taken = {
            their
            for ours, their in self.columns.items()
            if their in theirs and their not in (_IGNORE, _NEUROID)
        }
        found: dict[str, str] = {}
        for name in theirs:
            if self.columns.get(name) == _IGNORE:
                continue
            for one in (
                [ours for ours, their in self.columns.items() if their == name] if name in taken else [name]
            ):
                if one in found:
                    raise UserError(
                        f"{where} has a column {one!r} already, so that {name!r} cannot be called that: rename one"
                    )
                found[one] = name
        return found

    def of_arrays(self, held: Mapping[str, Held], where: str) -> dict[str, Held]:
        """Arrays under our names."""
        return {ours: held[theirs] for ours, theirs in self.of_names(held, where).items()}

    def of_table(self, table: pd.DataFrame, where: str) -> pd.DataFrame:
        """A table under our names."""
        named = self.of_names(map(str, table.columns), where)
        if not self.columns:
            return table
        chosen = table[list(named.values())]
        chosen.columns = pd.Index(list(named))
        return chosen

    def as_written(self, names: Iterable[str]) -> set[str]:
        """`names`, and what the tables call them."""
        ours = set(names)
        return ours | {theirs for name, theirs in self.columns.items() if name in ours}

    def check(self) -> None:
        """Raise a UserError where a column was named that no table has."""
        for ours, theirs in self.columns.items():
            wanted = ours if theirs in (_IGNORE, _NEUROID) else theirs
            if wanted not in self.seen:
                raise unknown(f"column ({ours}={theirs})", wanted, self.seen)

    def check_of(self, table: pd.DataFrame, where: str) -> None:
        """Raise a UserError where what was said to show stimuli is no column of their table."""
        for ours in ("filename", "sentence", "word", "text"):
            if ours in self.columns and ours not in table.columns:
                raise unknown(f"column of {where} ({ours})", self.columns[ours], map(str, table.columns))

    def ask(self, neuroids: Mapping[str, object], where: str) -> None:
        """Raise a UserError where columns of responses look like no neuroid's, unless they were said to be.

        Parameters
        ----------
        neuroids : mapping of str to dtype
            Name of a column -> what it holds.
        where : str
        """
        asked = {name: kind for name, kind in neuroids.items() if self.columns.get(name) != _NEUROID}
        odd = unlike_neuroids(asked, self.of_stimuli)
        if odd:
            names = ", ".join(map(repr, odd))
            ignored = ",".join(f"{name}={_IGNORE}" for name in odd)
            example = next(((kind, name) for name, kind in odd.items() if kind), None)
            means = "" if example is None else f", or say what they are: --columns {example[0]}={example[1]}"
            first = next(iter(odd))
            raise UserError(
                f"{where}: {names} {'looks' if len(odd) == 1 else 'look'} like what was noted of the trials, not like "
                f"neuroids: leave out by --columns {_quoted(ignored)}{means} ({first}={_NEUROID} if it is a neuroid)"
            )


def parse_columns(text: str | None) -> dict[str, str]:
    """``OURS=THEIRS`` between commas.

    Raises
    ------
    UserError
        For anything else, or a name that is given twice.
    """
    found: dict[str, str] = {}
    for part in [] if text is None else text.split(","):
        ours, sign, theirs = (piece.strip() for piece in part.partition("="))
        if not (ours and sign and theirs):
            raise UserError(
                f"--columns {text!r}: write OURS=THEIRS between commas, e.g. stimulus_id=image,trial={_IGNORE}"
            )
        if ours in found:
            raise UserError(f"--columns {text!r} says twice what {ours!r} is")
        found[ours] = theirs
    return found


def unlike_neuroids(columns: Mapping[Any, object], of_stimuli: Collection[str] = ()) -> dict[str, str]:
    """Names that are hardly those of neuroids, and which of our coordinates each may be; empty for none.

    Parameters
    ----------
    columns : mapping of name to dtype
        Columns of truth values are no neuroid's.
    of_stimuli : collection of str
        Columns that stimuli have, which are no neuroid's either.
    """
    odd = {}
    shown = {name.lower() for name in of_stimuli}
    for name, holds in ((str(name), holds) for name, holds in columns.items()):
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        kind = next((kind for pattern, kind in _ASKED.items() if re.fullmatch(pattern, plain)), None)
        if kind is None and (
            str(holds) in ("bool", "boolean")
            or name.lower() in shown
            or re.match(r"is([_ ]|[A-Z][a-z])", name)
        ):
            kind = ""
        if kind is not None:
            odd[name] = kind
    return odd


def lacking(needed: str, names: Iterable[str], where: str) -> UserError:
    """The error for a table without a column that it needs."""
    names = list(names)
    hint = f"it has {', '.join(names[:8])}; say which of them it is by --columns {needed}=NAME"
    error = unknown(f"column: {where} needs", needed, names, hint=hint)
    meant = str(error).endswith("?")
    return UserError(f"{error} Say so by --columns {needed}=NAME") if meant else error


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text
