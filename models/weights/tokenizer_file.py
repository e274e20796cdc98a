"""GPT-2's tokenizer as one file beside weights that have no folder of Hugging Face's own."""

from pathlib import Path
from typing import Any

from ...errors import NotAvailableError, UserError, first_line

FILE = "tokenizer.json"


def read_tokenizer(folder: Path, identifier: str, max_tokens: int) -> Any:
    """The tokenizer of a folder.

    Parameters
    ----------
    folder : Path
    identifier : str
        Of the model, for messages.
    max_tokens : int
        That the network reads.

    Raises
    ------
    NotAvailableError
        Where the folder has none.
    UserError
        Where it cannot be read.
    """
    from transformers import PreTrainedTokenizerFast

    path = folder / FILE
    if not path.is_file():
        raise NotAvailableError(f"{identifier} needs GPT-2's {FILE} beside its weights: put it into {folder}")
    try:
        return PreTrainedTokenizerFast(tokenizer_file=str(path), model_max_length=max_tokens)  # type: ignore[no-untyped-call]
    except Exception as error:  # the tokenizers library raises bare exceptions for damaged files
        raise UserError(f"{path} is no tokenizer ({first_line(error)}): fetch it again") from error
