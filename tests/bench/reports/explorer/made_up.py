"""A page of two made-up layers in which everything is known: feature i fires on word i % 50."""

import base64
import io

import numpy as np

from brodmann.bench.reports.explorer.content import Column, Material, Page, Section, Site

WORDS = [
    " the",
    " a",
    " le",
    " la",
    " de",
    " et",
    " un",
    " une",
    " def",
    " return",
    "(",
    ")",
    ":",
    "\n",
    " cat",
]
WORDS += [f" word{i}" for i in range(985)]
HOSTILE = "</script><script>document.title='run'</script><img src=x onerror=document.title='run'>"


def texts(rng, n_tokens=20_000, window=64):
    content = {
        "vocabulary": [*WORDS[:-1], HOSTILE],
        "tokens": rng.zipf(1.4, n_tokens).clip(1, len(WORDS)) - 1,
        "windows": np.arange(0, n_tokens, window),
        "documents": np.arange(0, n_tokens, 1000),
    }
    return Material("m0", "text", {"name": "made-up texts", "licence": "none", "n_tokens": n_tokens}, content)


def pictures(rng, n=40, size=48):
    from PIL import Image

    atlas = Image.fromarray(rng.integers(0, 255, (size * -(-n // 16), size * 16, 3), dtype=np.uint8))
    stream = io.BytesIO()
    atlas.save(stream, "webp", quality=60)
    uri = f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
    content = {"size": size, "columns": 16, "n": n, "labels": [f"face {i}" for i in range(n)], "atlas": [uri]}
    return Material("m1", "picture", {"name": "drawn pictures", "licence": "CC0", "n_pictures": n}, content)


def site(key, title, seed, n_units=256, n_features=2048, other=None, vision=False, n_other=None):
    rng = np.random.default_rng(seed)
    n = {"unit": n_units, "feature": n_features}
    side = int(np.sqrt(n_units))
    sheet = {
        "x": np.tile(np.arange(side), n_units // side + 1)[:n_units],
        "y": np.repeat(np.arange(n_units // side + 1), side)[:n_units],
        "unit": "cell",
        "shape": [n_units // side, side] if n_units % side == 0 else None,
        "layout": "native",
        "periodic": True,
    }
    sections = [_views(rng, n, sheet), _examples(rng, n, vision), _histogram(rng, n), _description(rng, n)]
    sections += [
        _place(rng, n),
        _neighbours(rng, n),
        _twins(rng, n, other, n_other),
        _brain(rng, n),
        _probes(rng, n),
    ]
    if not vision:
        sections += [_tokens(rng, n), _lens(rng), _effects(rng, n), _topics(rng, n)]
    facts = {
        "model": title,
        "layer": "transformer.h.1.mlp.gelu",
        "modality": "vision" if vision else "language",
        "weights_digest": "ab" * 32,
        "seed": seed,
        "n_rows": 45_000,
        "n_documents": 60,
        "dictionary": {
            "name": f"{key}.features",
            "variant": "topk",
            "k": 16,
            "digest": "cd" * 32,
            "fvu": 0.03,
        },
    }
    return Site(
        key, title, facts, n, sheet, "m1" if vision else "m0", sections, ["brain of vision: no data here"]
    )


def page(n_units=256, n_features=2048, vision=False, n_beside=None):
    rng = np.random.default_rng(0)
    sites = [
        site("s0", "made-up-topographic", 1, n_units, n_features, other="s1", n_other=n_beside),
        site("s1", "made-up-baseline", 2, n_units, n_beside or n_features, other="s0", n_other=n_features),
    ]
    materials = [texts(rng)]
    if vision:
        sites.append(site("v", "made-up-vision", 3, n_units, 64, vision=True))
        materials.append(pictures(rng))
    made = {"command": "made up", "with": "brodmann 0", "seed": 0}
    return Page(f"Made up {HOSTILE}", sites, materials, made, ["a note"])


def _number(name, title, values, group, **more):
    return Column(name, title, values, group, **more)


def _views(rng, n, sheet):
    centre = {"unit": sheet["x"], "feature": rng.uniform(0, max(sheet["x"]), n["feature"])}
    centre_y = {"unit": sheet["y"], "feature": rng.uniform(0, max(sheet["y"]), n["feature"])}
    made = {}
    for of in ("unit", "feature"):
        made[of] = [
            _number("x", "x", centre[of], "place"),
            _number("y", "y", centre_y[of], "place"),
            _number(
                "density",
                "density",
                rng.uniform(0, 0.2, n[of]),
                "activity",
                sentence="share of rows in which it is active",
            ),
            _number(
                "t.face",
                "t of face",
                rng.normal(0, 3, n[of]),
                "probes",
                diverging=True,
                sentence="Welch's t of face against all other",
            ),
            Column(
                "preferred",
                "preferred category",
                rng.integers(-1, 5, n[of]),
                "probes",
                "category",
                categories=["face", "body", "object", "place", "word"],
            ),
        ]
    return Section("views", columns=made)


def _text_example(rng, of):
    position = int(rng.integers(20, 19_900))
    first = position // 64 * 64
    first = max(first, position - 14)
    last = min(position // 64 * 64 + 64, position + 7)
    steps = rng.integers(0, 100, last - first) * (1 if of == "unit" else rng.random(last - first) < 0.1)
    steps[position - first] = 100
    shown = [
        None if place % 64 == 0 else int(one) for place, one in zip(range(first, last), steps, strict=True)
    ]
    return [position, first, shown]


def _picture_example(rng):
    return [int(rng.integers(0, 40)), [4, 4], rng.integers(0, 101, 16)]


def _examples(rng, n, vision):
    pool = {
        of: [_picture_example(rng) if vision else _text_example(rng, of) for _ in range(3000)] for of in n
    }

    def one(of):
        def some(count):
            return [pool[of][i] for i in rng.integers(0, 3000, count)]

        return {
            "step": 0.015,
            "top": some(20),
            "quantiles": [
                {"low": i / 8, "high": (i + 1) / 8, "share": 2.0**-i, "examples": some(3)} for i in range(8)
            ],
        }

    return Section("examples", entries={of: [one(of) for _ in range(n[of])] for of in n})


def _histogram(rng, n):
    entry = {
        "edges": np.linspace(0, 2, 21),
        "counts": (1000 * 0.7 ** np.arange(20)).astype(int),
        "silent": 40_000,
        "n": 45_000,
    }
    return Section("histogram", entries={of: [entry] * n[of] for of in n})


def _description(rng, n):
    controls = [
        {"kind": kind, "n": 200, "median": median, "share_above_half": share, "detection": 0.8}
        | {"rare": 150 if kind == "features" else 0, "all_median": 0.77 if kind == "features" else median}
        for kind, median, share in (
            ("features", 0.88, 0.95),
            ("units at the same rate", 0.63, 0.7),
            ("units", 0.64, 0.7),
            ("random directions at that rate", 0.63, 0.7),
            ("untrained dictionary", 0.53, 0.5),
            ("shuffled tokens", 0.001, 0.0),
        )
    ]

    def one(i):
        word = WORDS[i % 50].strip() or WORDS[i % 50]
        return {
            "text": f"fires on {word} (83 % of its mass)" if i != 5 else HOSTILE,
            "family": "token",
            "r": 0.5 + 0.4 * rng.random(),
            "detection": 0.9,
            "coverage": 0.83,
            "purity": 0.7,
            "keys": [[WORDS[i % 50], 1.3, 0.83], [WORDS[(i + 1) % 50], 0.3, 0.1]],
            "families": [["token", 0.8], ["bigram", 0.4], ["previous token", 0.1]],
            "control": ["random directions at that rate", 0.63],
            "source": "tables",
            "others": [{"source": "yours", "text": "my label", "r": None}],
        }

    entries = {of: [one(i) for i in range(n[of])] for of in n}
    columns = {
        of: [
            _number(
                "description.r",
                "r of its description",
                [e["r"] for e in entries[of]],
                "description",
                sentence="correlation of predicted and true activation on texts that the description has not seen",
            ),
            Column("description", "description", [e["text"] for e in entries[of]], "description", "text"),
        ]
        for of in n
    }
    return Section("description", columns, entries, controls=controls)


def _place(rng, n):
    features = [
        {
            "mass": [
                [int(u), 0.2 / (k + 1)]
                for k, u in enumerate(rng.choice(n["unit"], min(20, n["unit"]), replace=False))
            ],
            "x": 4.0,
            "y": 5.0,
            "spread": 2.1,
            "effective_units": 12.0,
            "morans_i": 0.3,
            "p": None,
            "units": "cell",
        }
        for _ in range(n["feature"])
    ]
    units = [
        {"used_by": [[int(f), 0.3] for f in rng.choice(n["feature"], min(8, n["feature"]), replace=False)]}
        for _ in range(n["unit"])
    ]
    controls = [
        {"kind": "directions of the layer's covariance", "morans_i": 0.58},
        {"kind": "permuted sheets", "morans_i": 0.0, "p": 0.001},
    ]
    return Section("place", entries={"unit": units, "feature": features}, controls=controls)


def _neighbours(rng, n):
    def one(of):
        return {
            "sheet": [
                [int(i), round(float(rng.uniform(0.5, 3)), 2), 0.2]
                for i in rng.choice(n[of], min(8, n[of]), replace=False)
            ],
            "functional": [
                [int(i), round(float(rng.uniform(0.2, 0.9)), 2), 3.0]
                for i in rng.choice(n[of], min(8, n[of]), replace=False)
            ],
            "shared": 0.25,
            "units": [[int(i), 0.4] for i in rng.choice(n["unit"], min(5, n["unit"]), replace=False)],
        }

    controls = [{"kind": "permuted sheet", "shared": 0.03}]
    return Section("neighbours", entries={of: [one(of) for _ in range(n[of])] for of in n}, controls=controls)


def _twins(rng, n, other, n_other):
    def one(i):
        return {
            "matches": [
                {
                    "site": other,
                    "of": "feature",
                    "id": (i * 7) % (n_other or n["feature"]),
                    "where": "seed 2",
                    "cosine": 0.4,
                    "r": 0.6,
                    "held_out_r": 0.55,
                },
                {
                    "site": None,
                    "of": "feature",
                    "id": 3,
                    "where": "the other seed",
                    "cosine": 0.9,
                    "r": 0.95,
                    "held_out_r": 0.94,
                    "text": "fires on the (75 % of its mass)",
                    "splits": [[3, 0.9], [9, 0.4]],
                },
            ]
        }

    columns = {"feature": [_number("twin.r", "r with its twin", rng.uniform(0, 1, n["feature"]), "twins")]}
    controls = [
        {"kind": "untrained dictionary", "r": 0.34},
        {"kind": "shuffled rows", "r": 0.06},
        {"kind": "units", "r": 0.4},
    ]
    return Section("twins", columns, {"feature": [one(i) for i in range(n["feature"])]}, controls=controls)


def _brain(rng, n):
    regions = ["AngG", "AntTemp", "IFG", "IFGorb", "MFG", "PostTemp"]

    def one():
        return {
            "benchmark": "tuckute2024.netw-ridge",
            "n": 500,
            "regions": [[r, float(rng.uniform(-0.1, 0.3)), 0.5, 0.02] for r in regions],
        }

    entries = {of: [[one()] for _ in range(n[of])] for of in n}
    columns = {
        of: [
            _number(
                f"r.{region}",
                f"r with {region}",
                [e[0]["regions"][k][1] for e in entries[of]],
                "brain",
                diverging=True,
                sentence="on the half of the stimuli that it was not chosen on",
                beside=[{"kind": "best random of as many", "value": 0.11}],
            )
            for k, region in enumerate(regions)
        ]
        for of in n
    }
    return Section(
        "brain", columns, entries, controls=[{"kind": "best of as many random columns", "r": 0.11}]
    )


def _probes(rng, n):
    names = ["is_french", "is_python_code", "is_question"]

    def one():
        return [
            [name, float(rng.uniform(0.5, 0.9)), 0.7, 0.8, int(rng.integers(1, 200)), 3.2] for name in names
        ]

    curve = [{"k": k, "f1": 0.6 + 0.05 * i} for i, k in enumerate((1, 2, 4, 8, 16, 32))]
    whole = {
        "of": "unit",
        "skipped": {"is_german": "no catalogues here"},
        "properties": [
            {
                "name": name,
                "sentence": f"whether {name}",
                "shown": i < 2,
                "n_train": 1200,
                "n_test": 268,
                "n_documents": [30, 12],
                "mean_difference": [{**p, "units": list(range(p["k"]))} for p in curve],
                "adaptive": [{**p, "units": list(range(p["k"]))} for p in curve],
                "random": [{"k": p["k"], "f1": p["f1"] - 0.1} for p in curve],
                "rotated": [{"k": p["k"], "f1": p["f1"] - 0.05} for p in curve],
                "optimal": [
                    {"k": 1, "f1": 0.61, "gap": 0.0, "units": [4]},
                    {"k": 2, "f1": 0.67, "gap": 0.02, "units": [4, 9]},
                ],
                "trivial": [{"name": "length", "f1": 0.55}, {"name": "word frequency", "f1": 0.62}],
                "all_units": 0.9,
            }
            for i, name in enumerate(names)
        ],
    }
    return Section("probes", entries={"unit": [one() for _ in range(n["unit"])]}, whole=whole)


def _tokens(rng, n):
    def one(i):
        return {
            "promoted": [[WORDS[(i + j) % 1000], 3.0 - j / 10] for j in range(20)],
            "suppressed": [[WORDS[(i + 500 + j) % 1000], -3.0 + j / 10] for j in range(20)],
            "kurtosis": 5.0,
        }

    entries = {of: [one(i) for i in range(n[of])] for of in n}
    return Section(
        "tokens",
        entries=entries,
        controls=[
            {"kind": "random directions", "kurtosis": 3.1},
            {"kind": "rank correlation with pushing, of itself", "r": 0.8},
        ],
    )


def _lens(rng):
    tokens = [" the", " cat", " word1", " word2", " de"]
    layers = ["embedding", "transformer.h.0", "transformer.h.1", "transformer.h.2"]
    grid = [
        [
            {
                "top": [[WORDS[int(i)], 0.3] for i in rng.integers(0, 900, 3)],
                "rank": int(rng.integers(1, 90)),
                "final_rank": int(rng.integers(1, 9)),
                "kl": 4.0 - k,
            }
            for _ in tokens
        ]
        for k in range(4)
    ]
    return Section(
        "lens",
        whole={
            "layers": layers,
            "texts": [{"tokens": tokens, "grid": grid}],
            "profile": [{"layer": one, "kl": 4.0 - k, "agreement": 0.2 * k} for k, one in enumerate(layers)],
        },
    )


def _effects(rng, n):
    def one():
        return {
            "fires": 0.06,
            "elsewhere": 0.02,
            "n_fires": 300,
            "n_elsewhere": 300,
            "other_fires": 0.005,
            "most": [[" the", 0.4], [" a", 0.2]],
        }

    lesion = {
        "feature": 12,
        "units": [3, 4, 5],
        "lesion": {"where it fires": 0.06, "elsewhere": 0.02, "specific": 0.04},
        "edit": {"where it fires": 0.05, "elsewhere": 0.0, "specific": 0.05},
        "controls": {
            "random": {
                "specific": {"n": 200, "mean": 0.001, "p": 0.005, "excess": 0.04, "interval": [0.03, 0.05]}
            }
        },
    }
    entries = {"feature": [one() for _ in range(n["feature"])]}
    columns = {
        "feature": [
            _number(
                "effect",
                "loss where it is silenced",
                [e["fires"] for e in entries["feature"]],
                "effects",
                unit="nats",
            )
        ]
    }
    return Section(
        "effects",
        columns,
        entries,
        whole={"lesions": [lesion], "median": {"fires": 0.06, "elsewhere": 0.02, "other_fires": 0.005}},
        controls=[{"kind": "another feature silenced there", "fires": 0.005}],
    )


def _topics(rng, n):
    clusters = rng.integers(0, 8, n["unit"])
    columns = {
        "unit": [
            Column(
                "topic",
                "topic cluster",
                clusters,
                "topics",
                "category",
                categories=[f"cluster {i}" for i in range(8)],
            )
        ]
    }
    whole = {
        "clusters": [
            {
                "number": i,
                "units": np.flatnonzero(clusters == i),
                "words": [[WORDS[14 + i], 2.0]],
                "topics": [["nouns", 1.2, 0.01]],
                "joins": 1.4,
                "p": 0.01,
            }
            for i in range(8)
        ],
        "of": "unit",
    }
    return Section("topics", columns, whole=whole, controls=[{"kind": "permuted layouts", "joins": 1.0}])
