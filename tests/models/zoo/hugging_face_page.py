"""The table of Hugging Face architectures in the documentation, written from what brodmann makes of each.

python tests/models/zoo/hugging_face_page.py --page docs/architectures.md
"""

import argparse
import re
import tempfile
from itertools import groupby
from pathlib import Path

from hugging_face_networks import ARCHITECTURES, looked_at

PAGE = Path(__file__).parents[3] / "docs" / "architectures.md"
BEGIN, END = "<!-- hugging face: begin -->", "<!-- hugging face: end -->"
_HEAD = "| architecture | kind | text | layers, or why not |\n| --- | --- | --- | --- |"
_WORDS = """## Hugging Face

Every architecture below was made small with random weights by transformers {version}, saved with `save_pretrained`, and
scored as `hf:FOLDER`. Batches give the same as one stimulus at a time, and passages in one pass the same as word by
word, to 1e-5 of the largest value. What kind of network one is shows in what it does: a few tokens are read twice with
another last token, and once with padding. Texts are read at the last token where no token sees a later one, and as the
mean over their tokens elsewhere; `brodmann score --text last|mean|word-end` chooses otherwise.
"""


def row(architecture, cells):
    """A line of the table."""
    kind, readout, layers = (cell.replace("|", "/") for cell in cells)
    return f"| {architecture.label} | {kind} | {readout} | {layers} |"


def rows(page):
    """The lines of the table on the page, by architecture."""
    part = page.partition(BEGIN)[2].partition(END)[0]
    return {line.split("|")[1].strip(): line for line in part.splitlines() if line.startswith("| ")}


def section(lines):
    """The whole section."""
    from transformers import __version__

    parts = [_WORDS.format(version=__version__)]
    for family, members in groupby(ARCHITECTURES, key=lambda one: one.family):
        heads = f"### {family[0].upper()}{family[1:]}\n\n{_HEAD}"
        parts.append("\n".join([heads, *(lines[one.label] for one in members)]) + "\n")
    return f"{BEGIN}\n" + "\n".join(parts) + f"{END}\n"


def main():
    """Write the section into the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--page", type=Path, default=PAGE)
    page = parser.parse_args().page
    lines = {}
    for architecture in ARCHITECTURES:
        with tempfile.TemporaryDirectory() as folder:
            where = Path(folder) / "net"
            where.mkdir()
            lines[architecture.label] = row(architecture, looked_at(architecture, where))
        print(lines[architecture.label], flush=True)
    written = section(lines)
    text = page.read_text() if page.exists() else "# Architectures\n\n"
    if BEGIN in text:
        text = re.sub(f"{BEGIN}.*{END}\n", lambda _: written, text, flags=re.DOTALL)
    else:
        text = text.rstrip("\n") + "\n\n" + written
    page.write_text(text)


if __name__ == "__main__":
    main()
