"""A story of 20 minutes on a whole brain: 600 samples, 80 000 voxels, 768 features at five delays."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
FOUR_GIBIBYTES = 4 * 2**30

_CODE = """
import json, resource, sys, time
import numpy as np
from brodmann.analysis.encoding.banded import draw_weightings, fit_fold
from brodmann.analysis.encoding.banded_spaces import Spaces
from brodmann.analysis.encoding.cross_validation import Fold, Splitter
from brodmann.analysis.encoding.nested_ridge import NestedRidge, Targets
from brodmann.analysis.encoding.pooled import PooledFolds

way, n_targets, n_folds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
n, rng = 600, np.random.default_rng(0)
x = rng.standard_normal((n, 5 * 768), dtype=np.float32)
small = rng.standard_normal((n, 5 * 3), dtype=np.float32)
y = np.empty((n, n_targets))
for start in range(0, n_targets, 1000):
    stop = min(start + 1000, n_targets)
    y[:, start:stop] = x[:, :20] @ rng.standard_normal((20, stop - start)) + 9 * rng.standard_normal((n, stop - start))
outer = Splitter(10, "blocks", gap=5).split(n)[:n_folds]
folds = [Fold(one, Splitter(5, "blocks", gap=5).split(len(one.train))) for one in outer]
began, cpu = time.perf_counter(), time.process_time()
if way == "ridge":
    columns, engine = Targets(y), NestedRidge(x, folds)
    predictions = [engine.fit(fold, columns).prediction for fold in folds]
else:
    spaces = Spaces.of({"layer": x, "word": small}, n)
    weightings = draw_weightings(2, 100, 0)
    predictions = [fit_fold(spaces, y, fold, weightings, kind=np.float32).parts for fold in folds]
    predictions = [one.sum(axis=0) for one in predictions]
r = PooledFolds([one.split.test for one in folds], y).r(predictions)
said = time.perf_counter() - began, time.process_time() - cpu
print(json.dumps([float(np.median(r)), 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, *said]))
"""


def done(way, n_targets=80_000, n_folds=10):
    """Median r, the highest memory of the process in bytes, and seconds of wall and processor time."""
    asked = [sys.executable, "-c", _CODE, way, str(n_targets), str(n_folds)]
    ran = subprocess.run(asked, capture_output=True, text=True, check=True)
    return json.loads(ran.stdout)


@pytest.mark.parametrize("way", ["ridge", "banded"])
def test_it_fits_in_four_gibibytes(way):
    r, memory, *_ = done(way)
    assert memory < FOUR_GIBIBYTES
    assert r > 0.1
