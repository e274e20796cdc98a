"""What a describer of the user's is shown of a unit or feature, and its predictions as a table of tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csc_array, csr_array

from .base import Floats, Part
from .evidence import Indices, Reading
from .gathered import Evidence
from .nearby_words import strongest_rows

_BEFORE, _AFTER = 20, 5
_N_TOP, _N_RANDOM = 10, 5


def questions(
    activations: Any, evidence: Evidence, chosen: Sequence[int], promoted: Indices | None = None
) -> list[dict[str, Any]]:
    """For each its id, ten strongest and five random contexts of the part that describes, and tokens that it promotes.

    Parameters
    ----------
    activations : sparse or dense array of shape (n_rows, n)
    evidence : Evidence
        Of texts.
    chosen : sequence of int
        Columns.
    promoted : int array of shape (n, m), optional
    """
    shown, rows = evidence.shown, evidence.parts.describes
    assert isinstance(shown, Reading)
    generator = np.random.default_rng([evidence.random_state, 25])
    row_of = np.full(len(shown.tokens), -1)
    row_of[shown.position] = np.arange(len(shown))
    found = []
    for number in chosen:
        values = csr_array(activations[:, [number]]).maximum(0)
        part = csc_array(values[rows])
        part.eliminate_zeros()
        top = strongest_rows(Part(shown, rows, part), _N_TOP)
        f = values.toarray().ravel()
        strong = top.indices[np.argsort(-f[rows[top.indices]], kind="stable")]
        random = generator.choice(len(rows), min(_N_RANDOM, len(rows)), replace=False)
        contexts = [[_context(shown, f, row_of, rows[one]) for one in group] for group in (strong, random)]
        ids = [] if promoted is None else promoted[number].tolist()
        texts = [shown.texts.get(one, f"<{one}>") for one in ids]
        found.append({"id": int(number), "top": contexts[0], "random": contexts[1], "promoted": texts})
    return found


def _context(shown: Reading, f: Floats, row_of: Indices, row: int) -> dict[str, list[Any]]:
    """Tokens around a row in its window and document; activations are null where the layer was not read.

    What stands before or after in another document may be of the part that scores.
    """
    at = int(shown.position[row])
    span = np.arange(max(at - _BEFORE, 0), min(at + _AFTER + 1, len(shown.tokens)))
    span = span[(shown.window[span] == shown.window[at]) & (shown.document[span] == shown.document[at])]
    names = [shown.names[i] for i in shown.kinds[1][span]]
    values = [None if one < 0 else round(float(f[one]), 4) for one in row_of[span]]
    return {"tokens": names, "activations": values}


def prediction_table(shown: Reading, predictions: Sequence[Mapping[str, float]]) -> csc_array:
    """Predictions by the text of tokens as a table of kinds of tokens, (n_kinds, n).

    A text stands for the tokens of exactly that text; where there are none, for those that differ in spaces around them
    or in capitals. What no token has is left out; what is below 0 is silence.

    Parameters
    ----------
    shown : Reading
    predictions : sequence of mapping of str to float
    """
    exact, loose = dict[str, list[int]](), dict[str, list[int]]()
    for i, name in enumerate(shown.names):
        exact.setdefault(name, []).append(i)
        loose.setdefault(name.strip().lower(), []).append(i)
    table = np.zeros((len(shown.names), len(predictions)))
    for column, one in enumerate(predictions):
        for text, value in one.items():
            table[exact.get(text) or loose.get(text.strip().lower(), []), column] = max(value, 0)
    return csc_array(table)
