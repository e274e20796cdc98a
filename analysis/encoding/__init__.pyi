from .encoding_model import CrossValidated as CrossValidated
from .estimators import (
    BandedRidgeCV as BandedRidgeCV,
    NestedRidgeCV as NestedRidgeCV,
    PLSEncoding as PLSEncoding,
    SparseEncoding as SparseEncoding,
)
