"""Every row of the table of speed that needs a graphics card; run by ``on_a_card.sh``.

The start of CUDA stays outside of the clock; every row is tried, whatever became of those before it; what is found is
written after each.
"""

import argparse
import json
import platform
import time
import traceback
import warnings
from contextlib import contextmanager
from functools import partial
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import torch

import brodmann
from brodmann.analysis.encoding.cross_validation import Fold, Splitter
from brodmann.analysis.encoding.fit import ALPHAS
from brodmann.analysis.encoding.on_card.bootstrap import r_of_draws
from brodmann.analysis.encoding.on_card.dual import DualLayer
from brodmann.analysis.encoding.on_card.pooled import sums
from brodmann.analysis.encoding.on_card.products import Products, products
from brodmann.analysis.encoding.on_card.ridge import CardRidge
from brodmann.analysis.encoding.on_card.targets import Columns, Reordered
from brodmann.analysis.encoding.pooled import ratio
from brodmann.correlation import pearson

LARGE = {"nsd": (9000, 25_088, 40_000), "nsd_p4096": (9000, 4096, 40_000), "vision": (2000, 4096, 10_000)}
SMALL = {"nsd": (240, 400, 300), "nsd_p4096": (240, 100, 300), "vision": (160, 320, 200)}
GOALS = {"nsd": 5.0, "nsd_p4096": 5.0, "vision": 4.0}
DRAWS = 1000
NEUROIDS = 4
"""Whose responses are put in other orders, as for 9000 stimuli the metric does."""
WHOLE_ORDERS = 2
"""Orders of all neuroids that are fitted; as many as are drawn would take as long as so many fits."""


class Card:
    """The device, its clock and its memory."""

    def __init__(self, name):
        self.device = torch.device(name)
        self.cuda = self.device.type == "cuda"

    def wait(self):
        if self.cuda:
            torch.cuda.synchronize(self.device)

    @contextmanager
    def clock(self, cost):
        """Fills in seconds and the device's peak."""
        self.wait()
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
        began = time.perf_counter()
        yield
        self.wait()
        cost["seconds"] = time.perf_counter() - began
        if self.cuda:
            cost["device_gib"] = torch.cuda.max_memory_allocated(self.device) / 2**30

    def rate(self, dtype, n):
        """Operations a second of large products."""
        a, b = (torch.randn(n, n, device=self.device).to(dtype) for _ in range(2))
        a @ b
        cost = {}
        with self.clock(cost):
            for _ in range(5):
                a @ b
        return 5 * 2 * n**3 / cost["seconds"]


def made(shape, device, decay=1.0):
    """Features whose variances fall as 1 / k, targets of which they explain a tenth, on the host; 5 x 5 folds."""
    n, p, n_targets = shape
    generator = torch.Generator(device).manual_seed(0)
    draw = partial(torch.randn, generator=generator, device=device)
    x = draw(n, p) * torch.arange(1, p + 1, device=device) ** (-decay / 2)
    y = torch.empty(n, n_targets, device=device)
    for start in range(0, n_targets, 4096):
        signal = x @ draw(p, min(4096, n_targets - start))
        signal /= signal.std(dim=0)
        y[:, start : start + 4096] = signal + 3 * draw(*signal.shape)
    folds = [Fold(split, Splitter(seed=2).split(len(split.train))) for split in Splitter().split(n)]
    return x.cpu().numpy(), y.cpu().numpy(), folds


def ours(data, card, name=None):
    """From features to r: the pooled r of every target, and r of the first fold for the comparison."""
    x, y, folds = data
    engine = CardRidge(x, folds, ALPHAS, card.device, name and Products(name))
    columns = Columns(y, card.device)
    fits = list(engine.fits(folds, columns))
    r = ratio(*sums(fits, columns, np.ones(len(y))))
    return engine, columns, fits, r


def himalaya(data, card, kind, batch):
    """One outer fold: r and the penalties."""
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV
    from himalaya.ridge import RidgeCV

    backend = set_backend("torch_cuda" if card.cuda else "torch")
    x, y, folds = data
    train, test = folds[0].split.train, folds[0].split.test
    centered = x[train] - x[train].mean(axis=0)
    mean = float(np.square(centered, dtype=np.float64).sum()) / min(len(train) - 1, x.shape[1])
    options = {
        "alphas": ALPHAS * mean,
        "fit_intercept": True,
        "cv": [(part.train, part.test) for part in folds[0].inner],
    }
    if batch is not None:
        options["solver_params"] = {"n_targets_batch": batch}
    model = KernelRidgeCV(kernel="linear", **options) if kind == "kernel" else RidgeCV(**options)
    model.fit(backend.asarray(x[train]), backend.asarray(y[train]))
    predicted = backend.to_numpy(model.predict(backend.asarray(x[test])))
    return pearson(predicted, y[test]), backend.to_numpy(model.best_alphas_) / mean


def ridge_row(name, shape, card, decay=1.0):
    """Ours twice and the median of the two, himalaya once, one fold of five extrapolated."""
    data = made(shape, card.device, decay)
    spectrum = "1/k" if decay else "white"
    row = {
        "shape": shape,
        "folds": "5 x 5",
        "penalties": len(ALPHAS),
        "spectrum": spectrum,
        "goal": GOALS[name],
    }
    costs = []
    for _ in range(2):
        cost = {}
        with card.clock(cost):
            engine, columns, fits, r = ours(data, card)
        costs.append(cost)
        kept = engine, columns, fits
        del engine, columns, fits
    row["brodmann"] = {
        "seconds": [one["seconds"] for one in costs],
        **{k: costs[-1].get(k) for k in ("device_gib",)},
    }
    row["products"], row["median_r"] = kept[0].products.name, float(np.median(r))
    row["phases"] = phases(kept[0], kept[1], data, card)
    first = kept[2][0]
    truth = data[1][first.split.test]
    mine, alpha = pearson(first.prediction, truth), first.alpha
    del kept
    peers = {}
    for kind in ("kernel",) if name != "nsd_p4096" else ("kernel", "ridge"):
        for batch in (None, 4096):  # all targets at once as its default is, fewer where memory runs out
            cost = {}
            try:
                with card.clock(cost):
                    theirs, their_alpha = himalaya(data, card, kind, batch)
                same, gap = np.isclose(their_alpha, alpha), np.abs(theirs - mine)
                cost |= {"same_penalties": float(same.mean()), "gap": float(np.nanmax(gap[same], initial=0))}
                peers[kind] = cost | {"whole": 5 * cost["seconds"], "targets_at_once": batch}
            except Exception as error:
                peers[kind] = {"error": f"{type(error).__name__}: {error}"[:300]}
            if card.cuda:
                torch.cuda.empty_cache()
            if "error" not in peers[kind]:
                break
    row["himalaya"] = peers
    whole = [one["whole"] for one in peers.values() if "whole" in one]
    if whole:
        row["ratio"] = min(whole) / float(np.median(row["brodmann"]["seconds"]))
    if name == "nsd":
        row["other_products"] = {}
        for other in ("float32", "tf32"):
            cost = {}
            with card.clock(cost):
                *_, found, r_other = ours(data, card, other)
            cost["largest_gap_of_r"] = float(np.abs(r_other - r).max())
            cost["same_penalties"] = float((found[0].alpha == alpha).mean())
            row["other_products"][other] = cost
    return row


def phases(engine, columns, data, card):
    """Where the time goes, each step done once more; the products as a share of the card's rate."""
    x, _, folds = data
    found = {}
    steps = {
        "targets": lambda: Columns(data[1], card.device),
        "gram and nodes": lambda: CardRidge(x, folds, ALPHAS, card.device, engine.products),
        "inverses, maps": lambda: engine._prepare(folds, True) if forget(engine) else None,
        "products": lambda: list(engine.fits(folds, columns)),
    }
    for name, step in steps.items():
        cost = {}
        with card.clock(cost):
            step()
        found[name] = cost["seconds"]
    operations = 2 * columns.shape[1] * products_each(engine, folds)
    n = 8192 if card.cuda else 512
    half = engine.products.name == "bf16x3"
    rate = card.rate(torch.bfloat16 if half else torch.float32, n)
    found["operations"] = (6 if half else 1) * operations
    found["rate"] = rate
    found["share_of_rate"] = found["operations"] / found["products"] / rate
    return found


def forget(engine):
    engine._ready = None
    return True


def products_each(engine, folds):
    """Multiplications of one target."""
    layer = engine._layer
    outer = sum(len(one.split.test) * len(one.split.train) for one in folds)
    if not isinstance(layer, DualLayer):
        k = layer._rows.shape[1]
        return k * sum(
            len(part.train) + layer.n_compared * len(part.test) for one in folds for part in one.inner
        ) + k * sum(len(one.split.train) + len(one.split.test) for one in folds)
    n, n_missed = len(layer._gram), len(layer._missed)
    missed, mapped = n**2, 0
    for one in folds:
        n_train = len(one.split.train)
        missed += sum(len(part.test) * (n - len(part.train)) for part in one.inner)
        mapped += sum(len(part.test) * len(part.train) for part in one.inner)
        assert n_train < n
    return n_missed * missed + (layer.n_compared - n_missed) * mapped + outer


def draws_row(shape, card, small):
    """1000 orders of what the metric takes of 9000 stimuli, 1000 bootstraps of all, and all neuroids in some orders."""
    data = made(shape, card.device)
    _, y, folds = data
    n_draws = 20 if small else DRAWS
    rng = np.random.default_rng(0)
    orders = np.array([rng.permutation(len(y)) for _ in range(n_draws)])
    weights = rng.multinomial(len(y), np.full(len(y), 1 / len(y)), size=n_draws).astype(float)
    row, cost = {"shape": shape, "goal": 1.0}, {}
    with card.clock(cost):
        engine, columns, fits, _ = ours(data, card)
    row["fit"] = dict(cost)
    with card.clock(cost):
        null = r_of_orders(engine, y[:, :NEUROIDS], orders, folds, card)
    work = f"{NEUROIDS} of {shape[2]} neuroids x {n_draws} orders, penalties chosen anew, as the metric tests them"
    row["permutations"] = dict(cost) | {"work": work, "largest_r": float(np.abs(null).max())}
    with card.clock(cost):
        drawn = np.mean([r_of_draws(one, columns, weights[:, one.split.test]).mean() for one in fits])
    row["bootstraps"] = dict(cost) | {
        "work": f"{shape[2]} neuroids x {n_draws} draws of held-out rows",
        "mean_r": float(drawn),
    }
    row["ratio"] = (row["permutations"]["seconds"] + row["bootstraps"]["seconds"]) / row["fit"]["seconds"]
    del fits
    row["every_neuroid_permuted"] = whole_orders(engine, y, orders, folds, card)
    return row


def r_of_orders(engine, values, orders, folds, card):
    """The r of targets in other orders, pooled over folds, ``(n_orders n_targets,)``."""
    moved = Reordered(values, orders, card.device)
    return ratio(*sums(list(engine.fits(folds, moved)), moved, np.ones(len(values))))


def whole_orders(engine, y, orders, folds, card):
    """All neuroids, one order after the other in the memory of one; the rest of the orders extrapolated."""
    cost, largest = {}, 0.0
    with card.clock(cost):
        for order in orders[:WHOLE_ORDERS]:
            largest = max(largest, float(np.abs(r_of_orders(engine, y, order[None], folds, card)).max()))
    work = f"{y.shape[1]} neuroids x {len(orders)} orders, {WHOLE_ORDERS} of them fitted, extrapolated"
    return cost | {
        "work": work,
        "largest_r": largest,
        "whole": cost["seconds"] / WHOLE_ORDERS * len(orders),
    }


def exact_row(card):
    """Products against double precision on the device, and ridge against the processor's: what no processor shows."""
    a, b = (torch.randn(2048, 2048, device=card.device) for _ in range(2))
    exact, row = a.double() @ b.double(), {"chosen": products(card.device).name}
    for name in ("float32", "bf16x3", "tf32"):
        one = Products(name)
        with one.in_force():
            found = one.multiply(one.left(a), one.right(b), torch.empty_like(a))
        row[name] = float((found.double() - exact).abs().max() / exact.abs().max())
    from brodmann.analysis.encoding.nested_ridge import nested_ridge

    for decay in (0.0, 1.0, 2.0):
        data = made((400, 800, 500), torch.device("cpu"), decay)
        x, y, folds = data
        there = list(CardRidge(x, folds, ALPHAS, card.device).fits(folds, Columns(y, card.device)))
        here = list(nested_ridge(x, y, folds, device="cpu"))
        same = np.array([one.alpha == other.alpha for one, other in zip(here, there, strict=True)])
        gaps = [
            pearson(one.prediction, y[one.split.test]) - pearson(other.prediction, y[one.split.test])
            for one, other in zip(here, there, strict=True)
        ]
        row[f"1/k^{decay:g}"] = {
            "same_penalties": same.mean(),
            "gap": float(np.abs(np.array(gaps)[same]).max()),
        }
    return row


def extraction_row(card, small):
    """Of the script beside this one."""
    from card_extraction import measure

    return measure(str(card.device), small=small)


def markdown(found):
    """The rows as a table, and everything else below it."""
    lines = [
        f"{found['device']}, torch {found['torch']}; seconds of the whole, himalaya one outer fold times five.",
        "",
        "| work | brodmann, s | himalaya, s | ratio | goal | device GiB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in found["rows"].items():
        if "error" in row:
            lines.append(f"| {name} | {row['error']} | | | | |")
        elif "himalaya" in row:
            seconds = ", ".join(f"{one:.2f}" for one in row["brodmann"]["seconds"])
            peers = ", ".join(
                f"{kind} {one.get('whole', float('nan')):.2f}" for kind, one in row["himalaya"].items()
            )
            peak = row["brodmann"].get("device_gib") or float("nan")
            ratio_of = row.get("ratio", float("nan"))
            title = f"{name} {row['shape']}, {row['spectrum']}"
            lines.append(f"| {title} | {seconds} | {peers} | {ratio_of:.2f} | {row['goal']:g} | {peak:.1f} |")
        elif "ratio" in row:
            parts = [f"fit {row['fit']['seconds']:.2f}"]
            parts += [
                f"{row[one]['work']} {row[one]['seconds']:.2f}" for one in ("permutations", "bootstraps")
            ]
            lines.append(
                f"| {name} {row['shape']} | {', '.join(parts)} | | {row['ratio']:.2f} of the fit | {row['goal']:g} | |"
            )
            whole = row["every_neuroid_permuted"]
            lines.append(
                f"| {whole['work']} | {whole['whole']:.0f} | | {whole['whole'] / row['fit']['seconds']:.0f} of the fit "
                f"| {row['goal']:g} | |"
            )
    return "\n".join([*lines, "", "```json", json.dumps(found, indent=1, default=str), "```", ""])


def carried():
    """The distributions that were installed from carried wheels: beside the link to the package."""
    beside = Path(brodmann.__file__).parents[1]
    return {one.name: one.version for one in distributions(path=[str(beside)])}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--small", action="store_true", help="shapes of seconds, to try the script")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", nargs="+", help="some of them")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    card, began = Card(given.device), time.perf_counter()
    shapes = SMALL if given.small else LARGE
    name = (
        torch.cuda.get_device_name(card.device) if card.cuda else platform.processor() or platform.machine()
    )
    found = {
        "device": name,
        "torch": torch.__version__,
        "carried": carried(),
        "small": given.small,
        "rows": {},
    }
    ours(made(SMALL["vision"], card.device), card)  # CUDA and its libraries start here
    rows = {
        "exact": lambda: exact_row(card),
        **{one: partial(ridge_row, one, shape, card) for one, shape in shapes.items()},
        "vision_white": partial(ridge_row, "vision", shapes["vision"], card, 0.0),
        "draws": lambda: draws_row(shapes["nsd"], card, given.small),
        "extraction": lambda: extraction_row(card, given.small),
    }
    given.out.mkdir(parents=True, exist_ok=True)
    for title, work in rows.items():
        if given.rows is not None and title not in given.rows:
            continue
        start = time.perf_counter()
        try:
            found["rows"][title] = work()
        except Exception as error:
            traceback.print_exc()
            found["rows"][title] = {"error": f"{type(error).__name__}: {error}"[:300]}
        found["rows"][title]["took"] = time.perf_counter() - start
        found["seconds"] = time.perf_counter() - began
        (given.out / "on_a_card.json").write_text(json.dumps(found, indent=1, default=str))
        (given.out / "on_a_card.md").write_text(markdown(found))
        print(title, json.dumps(found["rows"][title], default=str), flush=True)
        if card.cuda:
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
