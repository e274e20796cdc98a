"""Encoding models: from features to responses, as numbers about arrays."""

from typing import TYPE_CHECKING

from ...lazy import attach

if TYPE_CHECKING:
    from .encoding_model import CrossValidated
    from .estimators import BandedRidgeCV, NestedRidgeCV, PLSEncoding, SparseEncoding

__all__ = ["BandedRidgeCV", "CrossValidated", "NestedRidgeCV", "PLSEncoding", "SparseEncoding"]
__getattr__, __dir__ = attach(
    __name__, dict.fromkeys(__all__, ".estimators") | {"CrossValidated": ".encoding_model"}
)
