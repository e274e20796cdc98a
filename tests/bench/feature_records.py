"""Records of scores of features, as a run keeps them."""

import numpy as np

COLUMNS = ("features", "neurons", "reconstruction", "untrained TopK", "rotated neurons", "random ReLU",
           "principal components", "random ReLU at the rate", "frozen")  # fmt: skip
SIZES = (1, 2, 4, 8, 16, 32)


def of_features(records, arrays):
    """The scores of neuroids are those of features, with what a run keeps of their controls."""
    k = np.log2(SIZES)
    for i, (one, kept) in enumerate(zip(records, arrays, strict=True)):
        if one["unit"] != "neuroid":
            continue
        value = 0.04 * (i - 1)
        one |= {
            "sae_score": value, "sae_ci": [value - 0.05, value + 0.06], "sae_p": 0.2,
            "sae_control": one["score"] - value,
            "sae_control_sd": 0.02, "sae_n_controls": 5, "k50": 2.0, "k90": None if i else 8.0,
            "matched_features": 0.3, "matched_floor": 0.1,
        }  # fmt: skip
        curves = np.stack([0.3 * np.exp(-((k - 2 - j / 3) ** 2) / 9) - 0.02 * j for j in range(len(COLUMNS))])
        kept |= {
            "feature_columns": np.array(COLUMNS),
            "feature_sizes": np.array(SIZES),
            "feature_curves": curves,
            "feature_ridge": curves.max(axis=1) + 0.01,
            "feature_needed": np.full((len(COLUMNS), 2), np.nan),
        }
