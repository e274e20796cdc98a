"""Brain-Score vision's ``rdm``."""

from ...analysis.representation.rdm import correlation_rdm, pairs, spearman
from .brainscore_similarity import FACTS, BrainScoreSimilarity, Floats
from .recording import Recording, few_neuroids
from .registries import metric


def rdm_agreement(model: Floats, brain: Floats) -> float:
    """Spearman r of the upper triangles of two RDMs."""
    return spearman(pairs(model), pairs(brain))


@metric(
    "rdm",
    sentence="the dissimilarities (1 - Pearson r) of a layer and of the mean responses are rank-correlated",
    formula="Spearman r of the dissimilarities of all pairs of stimuli",
    version=2,
    brainscore={"vision": "rdm"},
    **FACTS,
)
def rdm(recorded: Recording) -> BrainScoreSimilarity:
    """RSA of the pooled neuroids."""
    if recorded.cube is not None:
        few_neuroids(recorded.name, recorded.cube.shape[2])
    return BrainScoreSimilarity("rdm", correlation_rdm, rdm_agreement)
