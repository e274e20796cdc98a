"""Brain-Score vision's ``cka`` and ``cka_biased``: linear centered kernel alignment."""

import numpy as np
import numpy.typing as npt

from .brainscore_similarity import FACTS, BrainScoreSimilarity, Floats
from .recording import Recording
from .registries import metric

_BLOCK = 1 << 14


@metric(
    "cka",
    sentence="the similarities (inner products) of a layer and of the mean responses are compared by linear CKA",
    formula="HSIC(K, M) / sqrt(HSIC(K, K) HSIC(M, M)), unbiased",
    brainscore={"vision": "cka"},
    version=2,
    citation="Kornblith et al. (2019), ICML 97:3519; Song et al. (2007), ICML 24:823",
    **FACTS,
)
def cka(recorded: Recording) -> BrainScoreSimilarity:
    """CKA from the unbiased HSIC."""
    del recorded
    return BrainScoreSimilarity("cka", similarities, unbiased_cka)


@metric(
    "cka_biased",
    sentence="the similarities (inner products) of a layer and of the mean responses are compared by linear CKA",
    formula="tr(K M) / sqrt(tr(K K) tr(M M)), of centred Gram matrices",
    brainscore={"vision": "cka_biased"},
    version=2,
    citation="Kornblith et al. (2019), ICML 97:3519",
    **FACTS,
)
def cka_biased(recorded: Recording) -> BrainScoreSimilarity:
    """CKA from centred Gram matrices."""
    del recorded
    return BrainScoreSimilarity("cka_biased", similarities, biased_cka)


def similarities(features: npt.ArrayLike) -> Floats:
    """X X' of features less their mean, read a block of columns at a time, its mean square 1.

    Neither CKA depends on the mean or on the unit of the features, but their digits do.
    """
    source = np.asarray(features)
    total = np.zeros((len(source), len(source)))
    scale = float(np.abs(source).max(initial=0.0)) or 1.0
    for start in range(0, source.shape[1], _BLOCK):
        part = source[:, start : start + _BLOCK].astype(np.float64) / scale
        part -= part.mean(axis=0)
        total += part @ part.T
    return total / (np.sqrt((total**2).mean()) or 1.0)


def unbiased_cka(model: Floats, brain: Floats) -> float:
    """Linear CKA from the unbiased HSIC of Song et al. (2007); 0 where a self-similarity is not positive."""
    k, m = _hollow(model), _hollow(brain)
    own, other = _hsic(k, k), _hsic(m, m)
    return _hsic(k, m) / float(np.sqrt(own * other)) if own > 0 and other > 0 else 0.0


def _hollow(gram: Floats) -> Floats:
    hollow = gram.copy()
    np.fill_diagonal(hollow, 0)
    return hollow


def _hsic(k: Floats, m: Floats) -> float:
    n = len(k)
    whole = k.sum() * m.sum() / ((n - 1) * (n - 2))
    return float(((k * m).sum() + whole - 2 / (n - 2) * (k.sum(axis=0) @ m.sum(axis=0))) / (n * (n - 3)))


def biased_cka(model: Floats, brain: Floats) -> float:
    """Linear CKA of Kornblith et al. (2019), from Gram matrices that are centred here."""
    k, m = _centered(model), _centered(brain)
    size = float(np.sqrt((k * k).sum() * (m * m).sum()))
    return float((k * m).sum()) / size if size > 0 else 0.0


def _centered(gram: Floats) -> Floats:
    means = gram.mean(axis=0)
    centered: Floats = gram - means - means[:, None] + means.mean()
    return centered
