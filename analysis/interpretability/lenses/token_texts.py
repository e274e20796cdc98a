"""Tokens as a person reads them."""

from collections.abc import Iterable
from typing import Any

_SPACES = ("▁", "Ġ")
"""What tokenizers write for a space."""


def token_texts(tokenizer: Any, ids: Iterable[int]) -> list[str]:
    """What each token stands for, with the space that some begin with; ``<12>`` where the tokenizer cannot say.

    Parameters
    ----------
    tokenizer : callable
        Of Hugging Face, of brodmann's own trained networks, or one of a person's own with ``decode``.
    ids : iterable of int
    """
    inner = next(
        (
            one
            for name in ("backend_tokenizer", "_tokenizer")
            if hasattr(one := getattr(tokenizer, name, None), "id_to_token")
        ),
        None,
    )
    return [_text(tokenizer, inner, int(one)) for one in ids]


def shown(text: str) -> str:
    """A token between marks that a terminal can show: spaces as ``·``, line breaks as ``⏎``."""
    return text.replace(" ", "·").replace("\n", "⏎").replace("\t", "→") or "∅"


def _text(tokenizer: Any, inner: Any, token: int) -> str:
    try:
        if inner is not None:
            piece = inner.id_to_token(token)
            if piece is None:
                return f"<{token}>"
            decoded = str(inner.decode([token], skip_special_tokens=False))
            if not decoded or "\N{REPLACEMENT CHARACTER}" in decoded:  # a part of a letter
                return str(piece)
            return f" {decoded.lstrip()}" if piece.startswith(_SPACES) else decoded
        if hasattr(tokenizer, "convert_ids_to_tokens"):
            piece = str(tokenizer.convert_ids_to_tokens([token])[0])
            return f" {piece[1:]}" if piece.startswith(_SPACES) else piece
        if hasattr(tokenizer, "decode"):
            return str(tokenizer.decode([token]))
    except Exception:  # a person's own tokenizer, or an id between the tokens that it knows
        return f"<{token}>"
    return f"<{token}>"
