"""Parts of a page as scripts that a browser reads from a folder without a server: gzip in base64, put by name."""

import base64
import gzip
import json
import re
from typing import Any

from .content import plain

_FOLDERS = re.compile(r"""(?:^|(?<=[:='" ]))(?:~|\.{1,2})?/(?![/ ])(?:[^/'"]+/)*""")


def packed(content: Any, digits: int = 3) -> str:
    """Anything as JSON in gzip in base64, the same text for the same content.

    Parameters
    ----------
    content : object
    digits : int
        Significant ones of every number that is not whole.
    """
    text = json.dumps(plain(content, digits), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    raw = text.encode("utf-8", "replace")
    return base64.b64encode(gzip.compress(raw, compresslevel=6, mtime=0)).decode()


def script(name: str, content: Any) -> str:
    """The script that puts a part where the page finds it.

    ``file://`` lets a page load scripts, and nothing else; so each part is one that calls ``__put``. The index, which
    holds places on the sheet, has a digit more.

    Parameters
    ----------
    name : str
    content : object
    """
    return f"__put({json.dumps(name)},{json.dumps(packed(content, 4 if name == 'index' else 3))})\n"


def path_of(name: str) -> str:
    """Where a part lies in the folder.

    Parameters
    ----------
    name : str
    """
    return f"data/{name.replace('/', '-')}.js"


def without_folders(text: str) -> str:
    """A text with the names of files alone, so that a page that is sent says nothing of the machine it was made on.

    Parameters
    ----------
    text : str
    """
    return _FOLDERS.sub("", text)
