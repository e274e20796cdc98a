"""The layouts of published data sets are formats of recordings too: the modules of `datasets` register them."""

from ..card import DATASETS

list(DATASETS)
