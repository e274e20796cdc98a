"""Encoding models as scikit-learn estimators, over the functions of this folder.

Every model is linear: ``predict(X) = X coef_' + intercept_``. Alphas, numbers of units and weights of spaces are
chosen per target by cross-validation within the rows given to ``fit``, whose ``groups`` (stories, runs) never
stand on both sides of a division.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from .banded import banded_ridge, banded_weights
from .cross_validation import Fold, Split
from .encoding_model import Cv, EncodingModel, centered_columns
from .nested_ridge import ALPHAS, Floats, nested_ridge
from .pls import coefficients, held_out_predictions
from .sparse import SIZES, SparseCurve, sparse_encoding

Spaces = Mapping[str, slice | Sequence[int] | Sequence[str]]


class NestedRidgeCV(EncodingModel):
    """Ridge regression whose penalty is chosen per target.

    B = argmin |Y - X B|^2 + alpha m |B|^2, with m the mean eigenvalue of the centred X'X (its trace over
    min(n_samples - 1, n_features)), so that an alpha means the same for every layer. Alphas are compared by
    the squared error of the inner held-out rows, as :func:`.nested_ridge.nested_ridge` does.

    Parameters
    ----------
    alphas : array, optional
        Candidates, relative to the mean eigenvalue; 20 from 1e-5 to 3e4 by default.
    cv : int, Splitter or scikit-learn splitter
        The inner folds. A number makes shuffled folds with a fixed seed.
    device : str
        Where alphas are compared: ``"cpu"`` or ``"cuda"``.

    Attributes
    ----------
    coef_ : array of shape (n_targets, n_features) or (n_features,)
    intercept_ : array of shape (n_targets,) or float
    alpha_ : array of shape (n_targets,) or float
    mean_eigenvalue_ : float
        ``alpha_ * mean_eigenvalue_`` is the penalty of scikit-learn's ``Ridge``.
    cv_scores_ : array of shape (n_targets,) or float
        Explained variance of the inner held-out rows at the chosen alpha.
    """

    _PER_TARGET = ("alpha_", "cv_scores_")

    def __init__(self, *, alphas: npt.ArrayLike | None = None, cv: Cv = 5, device: str = "cpu") -> None:
        self.alphas = alphas
        self.cv = cv
        self.device = device

    def _candidates(self) -> Floats:
        alphas = ALPHAS if self.alphas is None else np.atleast_1d(np.asarray(self.alphas, np.float64))
        if alphas.ndim != 1 or not alphas.size or not (np.isfinite(alphas) & (alphas >= 0)).all():
            raise UserError(f"alphas {self.alphas!r} are no penalties: give finite numbers from 0 on")
        return alphas

    def _fit(self, x: Any, y: Floats, inner: list[Split]) -> Floats:
        every = np.arange(len(y))
        fold = Fold(Split(every, every[:0]), inner)
        found = next(nested_ridge(x, y, [fold], self._candidates(), device=self.device))
        self.alpha_, self.cv_scores_ = found.alpha, found.inner_score
        self.mean_eigenvalue_ = found.basis.mean_eigenvalue
        weights = found.basis.shrink(found.basis.project(y - y.mean(axis=0)), found.alpha)
        if found.basis.rotation is not None:
            primal: Floats = found.basis.rotation @ weights
            return primal
        coef: Floats = x.T @ (found.basis.rows @ weights)
        return coef

    def _predict_folds(self, x: Any, y: Floats, folds: list[Fold]) -> list[Floats]:
        fits = nested_ridge(x, y, folds, self._candidates(), device=self.device)
        return [found.prediction for found in fits]


class BandedRidgeCV(EncodingModel):
    """Ridge regression with a penalty of its own for every feature space and target.

    What each space explains: :func:`.banded.variance_partitioning`.

    Parameters
    ----------
    spaces : mapping of str to slice, list of int or list of str, optional
        The columns of X that make each space (names of columns where X is a data frame); one space by default.
    n_draws : int
        Random weightings of the spaces that are tried, beside each space alone and all alike.
    cv : int, Splitter or scikit-learn splitter
        The inner folds.
    random_state : int

    Attributes
    ----------
    coef_ : array of shape (n_targets, n_features) or (n_features,)
        0 for columns in no space; summed over spaces that share a column.
    intercept_ : array of shape (n_targets,) or float
    alpha_ : array of shape (n_spaces, n_targets) or (n_spaces,)
        Penalty of each space, relative to its mean eigenvalue (its trace over n_samples - 1).
    cv_scores_ : array of shape (n_targets,) or float
        1 - mean squared error of the inner held-out rows / variance of the target.
    """

    _PER_TARGET = ("alpha_", "cv_scores_")

    def __init__(
        self, spaces: Spaces | None = None, *, n_draws: int = 100, cv: Cv = 5, random_state: int = 0
    ) -> None:
        self.spaces = spaces
        self.n_draws = n_draws
        self.cv = cv
        self.random_state = random_state

    def _places(self) -> dict[str, npt.NDArray[np.intp]]:
        every = np.arange(self.n_features_in_)
        names = list(getattr(self, "feature_names_in_", ()))
        places = {}
        for space, columns in ({"all": slice(None)} if self.spaces is None else self.spaces).items():
            if not isinstance(columns, slice):
                unknown = [one for one in columns if isinstance(one, str) and one not in names]
                if unknown:
                    raise UserError(f"space {space!r} names columns that X has not: {unknown[:5]}")
                columns = [names.index(one) if isinstance(one, str) else int(one) for one in columns]
            try:
                places[space] = every[columns]
            except IndexError as error:
                raise UserError(
                    f"space {space!r} does not fit X with {len(every)} columns: {error}"
                ) from None
            if not places[space].size:
                raise UserError(f"space {space!r} holds no column of X, which has {len(every)}")
        return places

    def _fit(self, x: Any, y: Floats, inner: list[Split]) -> Floats:
        places = self._places()
        found = banded_weights(
            {name: x[:, columns] for name, columns in places.items()},
            y,
            inner,
            n_draws=self.n_draws,
            random_state=self.random_state,
        )
        self.alpha_, self.cv_scores_ = np.exp(-found.log_weights), found.inner_score
        coef = np.zeros((x.shape[1], y.shape[1]))
        for name, columns in places.items():
            np.add.at(coef, columns, found.weights[name])
        return coef

    def _predict_folds(self, x: Any, y: Floats, folds: list[Fold]) -> list[Floats]:
        spaces = {name: x[:, columns] for name, columns in self._places().items()}
        found = banded_ridge(spaces, y, folds, n_draws=self.n_draws, random_state=self.random_state)
        parts = zip(found.predictions, folds, strict=True)
        return [part.sum(axis=0) + y[fold.split.train].mean(axis=0) for part, fold in parts]


class SparseEncoding(EncodingModel):
    """Least squares on the few units that orthogonal matching pursuit chooses for each target.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of units that are compared; those above the number of features, or of the training rows of an
        inner fold less two, are left out.
    cv : int, Splitter or scikit-learn splitter
        The inner folds, on which each target's number of units has the highest mean r (the smallest such).

    Attributes
    ----------
    coef_ : array of shape (n_targets, n_features) or (n_features,)
        0 for units that were not chosen.
    intercept_ : array of shape (n_targets,) or float
    n_units_ : array of shape (n_targets,) or int
        The number of units that was chosen; fewer have a weight where others say nothing new.
    sizes_ : tuple of int
        The numbers of units that were compared.
    cv_scores_ : array of shape (n_sizes, n_targets) or (n_sizes,)
        Mean Pearson r of the inner held-out rows at every size.
    """

    _PER_TARGET = ("n_units_", "cv_scores_")

    def __init__(self, sizes: Sequence[int] = SIZES, *, cv: Cv = 5) -> None:
        self.sizes = sizes
        self.cv = cv

    def _fit(self, x: Any, y: Floats, inner: list[Split]) -> Floats:
        coef, self.n_units_, curve = self._pursue(x, y, inner)
        self.sizes_, self.cv_scores_ = curve.sizes, curve.r
        return coef

    def _pursue(self, x: Any, y: Floats, inner: list[Split]) -> tuple[Floats, Any, SparseCurve]:
        most = min(x.shape[1], min(len(split.train) for split in inner) - 2)
        sizes = [size for size in self.sizes if size <= most]
        curve = sparse_encoding(x, y, inner, sizes=sizes or self.sizes)
        n_units = np.asarray(curve.sizes)[curve.r.argmax(axis=0)]
        every = np.arange(len(y))
        whole = sparse_encoding(x, y, [Split(every, every)], sizes=[int(n_units.max())])
        coef = np.zeros((x.shape[1], y.shape[1]))
        for target, (units, count) in enumerate(zip(whole.units[0], n_units, strict=True)):
            chosen = units[:count][units[:count] >= 0]
            centered = y[:, target] - y[:, target].mean()
            coef[chosen, target] = np.linalg.lstsq(x[:, chosen], centered, rcond=None)[0]
        return coef, n_units, curve

    def _predict_folds(self, x: Any, y: Floats, folds: list[Fold]) -> list[Floats]:
        predictions = []
        for train, test, inner in ((fold.split.train, fold.split.test, list(fold.inner)) for fold in folds):
            centered, mean = centered_columns(x[train])
            coef = self._pursue(centered, y[train], inner)[0]
            predictions.append((x[test] - mean) @ coef + y[train].mean(axis=0))
        return predictions


class PLSEncoding(EncodingModel):
    """Partial least squares regression with unscaled features, as Brain-Score fits neurons.

    All targets are fitted together (PLS2). Nothing is chosen within: compare numbers of components with
    ``GridSearchCV``.

    Parameters
    ----------
    n_components : int
        Fewer are used where the rows do not carry as many.

    Attributes
    ----------
    coef_ : array of shape (n_targets, n_features) or (n_features,)
    intercept_ : array of shape (n_targets,) or float
    """

    def __init__(self, n_components: int = 25) -> None:
        self.n_components = n_components

    def _inner(self, y: Floats, groups: Any) -> list[Split]:
        if self.n_components < 1:
            raise UserError(f"n_components is {self.n_components}: at least 1 is needed")
        return []

    def _fit(self, x: Any, y: Floats, inner: list[Split]) -> Floats:
        return coefficients(x, y, n_components=self.n_components)

    def _predict_folds(self, x: Any, y: Floats, folds: list[Fold]) -> list[Floats]:
        return held_out_predictions(x, y, [fold.split for fold in folds], n_components=self.n_components)
