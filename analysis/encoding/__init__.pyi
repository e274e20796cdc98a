from .estimators import BandedRidgeCV as BandedRidgeCV, CrossValidated as CrossValidated
from .estimators import (
    NestedRidgeCV as NestedRidgeCV,
    PLSEncoding as PLSEncoding,
    SparseEncoding as SparseEncoding,
)
