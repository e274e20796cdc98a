"""What was shown with its parts and the keys of every family: gathered once, for all that is described by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ....errors import UserError
from .base import Family, Keys, families_of
from .evidence import Parts, Reading, Shown, parts_of


@dataclass(frozen=True)
class Evidence:
    """What was shown, its parts, and the keys of every family: made once, for all units, features and controls.

    Attributes
    ----------
    shown : Reading or Seen
    parts : Parts
    families : list of Family
        Those that apply.
    keys : list of Keys
        Of each family, of all rows.
    random_state : int
    """

    shown: Shown
    parts: Parts
    families: list[Family]
    keys: list[Keys]
    random_state: int = 0
    by_part: Mapping[int, Keys] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, shown: Shown, *, names: Sequence[str] | None = None, random_state: int = 0) -> "Evidence":
        """The evidence of what was shown.

        Parameters
        ----------
        shown : Reading or Seen
        names : sequence of str, optional
            Families; all that apply by default.
        random_state : int

        Raises
        ------
        UserError
            For fewer than three documents, or where no family applies.
        """
        parts = parts_of(shown.groups, random_state=random_state)
        tried = [one for one in families_of(shown) if names is None or one.name in names]
        made = [(one, keys) for one in tried if (keys := one.keys(shown)) is not None]
        if not made:
            raise UserError("no family of descriptions applies to what was shown")
        held = [keys for _, keys in made]
        first = {i: Keys(keys.held[parts.describes], keys.name) for i, keys in enumerate(held)}
        return cls(shown, parts, [one for one, _ in made], held, random_state, first)

    @property
    def classes(self) -> Keys | None:
        """In what it may fire more often: classes of tokens, or labels of pictures."""
        return self.keys_of("class" if isinstance(self.shown, Reading) else "picture")

    def keys_of(self, name: str) -> Keys | None:
        """The keys of one family on the part that describes; None where it does not apply."""
        return next((self.by_part[i] for i, one in enumerate(self.families) if one.name == name), None)
