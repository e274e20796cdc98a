"""A table as BIDS writes them: separated by tabs, ``n/a`` for what is missing."""

from .base import add_format
from .csv import Csv


@add_format
class Tsv(Csv):
    """A table separated by tabs, as BIDS has them: one row a presentation, one column a neuroid."""

    name, suffixes = "tsv", (".tsv",)
    separator, missing = "\t", "n/a"
