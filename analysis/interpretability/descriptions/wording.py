"""A description as a short plain text."""

from collections.abc import Sequence

from ....errors import printable

_SHOWN, _SHARE = 4, 0.9
_LONGEST_KEY = 24


def key_text(name: str) -> str:
    """A key between quotation marks, without the spaces around it; marks for spaces where there is nothing else.

    Parameters
    ----------
    name : str
    """
    bare = name.strip() or name.replace(" ", "·").replace("\n", "⏎").replace("\t", "→") or "∅"
    return f"“{_cut(printable(bare))}”"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_KEY else text[: _LONGEST_KEY - 1] + "…"


def in_words(
    phrase: str,
    keys: Sequence[tuple[str, float, float]],
    *,
    marks: bool = True,
    promoted: Sequence[str] = (),
    more: tuple[str, float, float] | None = None,
) -> str:
    """``fires on “the”, “a” (83 % of its mass); promotes “of”; 2.1 x more often in headings (q < .001)``.

    Parameters
    ----------
    phrase : str
        Of the family.
    keys : sequence of (name, value, share of the mass), the largest share first
        As many are named as hold nine tenths of what all of them hold, four at the most.
    marks : bool
        Whether keys stand between quotation marks.
    promoted : sequence of str
    more : (where, ratio, q), optional
        Where it fires more often.
    """
    if not keys:
        return "no description"
    whole, held, shown = sum(share for _, _, share in keys), 0.0, list[str]()
    for name, _, share in keys[:_SHOWN]:
        text = key_text(name) if marks else _cut(printable(name))
        held += share
        if text not in shown:
            shown.append(text)
        if held >= _SHARE * whole:
            break
    parts = [f"{phrase} {', '.join(shown)} ({_percent(min(held, 1.0))} of its mass)"]
    if promoted:
        parts.append(f"promotes {', '.join(dict.fromkeys(map(key_text, promoted)))}")
    if more is not None:
        name, ratio, q = more
        parts.append(f"{ratio:.2g} x more often {name} ({_q(q)})")
    return "; ".join(parts)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "under 1 %"


def _q(q: float) -> str:
    return "q < .001" if q < 0.001 else f"q {q:.2g}"
