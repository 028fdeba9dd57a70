"""The path of a descent, recorded while the model is fitted."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.watching import FitStart


class DescentPath:
    """A callback that keeps the coefficients after every iteration or epoch.

    Pass it as `callbacks=` of any linear model, and to `plot_loss_surface` afterwards. A fit that
    goes on where the last one ended (`warm_start`, `partial_fit`) goes on with the path; any other
    begins a new one.

    Parameters
    ----------
    every : int, default=1
        Keep every so many records, and the start.

    Attributes
    ----------
    coef_ : ndarray of shape (n_points, n_features, n_outputs)
    intercept_ : ndarray of shape (n_points, n_outputs)
    cost_ : ndarray of shape (n_points,)
        NaN at a start whose cost was not computed.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit import DescentPath, SGDRegressor
    >>> X = np.array([[-1.0], [1.0]])
    >>> path = DescentPath()
    >>> model = SGDRegressor(alpha=0.0, learning_rate="constant", eta0=0.5, batch_size=2,
    ...                      max_iter=3, tol=None, callbacks=path)
    >>> _ = model.fit(X, np.array([-4.0, 4.0]))
    >>> path.coef_[:, 0, 0].tolist()
    [0.0, 2.0, 3.0, 3.5]
    """

    def __init__(self, every: int = 1) -> None:
        if every < 1:
            message = f"DescentPath: every must be at least 1, got {every}."
            raise ValueError(message)
        self.every = every
        self._points: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], float]] = []

    def __call__(self, record: Any) -> None:
        """Keep where the descent is."""
        if record.iteration % self.every == 0:
            self._points.append((*record.coefficients(), float(record.loss)))

    def fit_begins(self, about: FitStart) -> None:
        """Begin a new path, unless the fit goes on from where this one ended.

        Raises
        ------
        TypeError
            For a network.
        """
        if about.of_layers:
            message = (
                f"DescentPath was given to {about.who} in callbacks: it keeps W and b of a linear "
                "model, and a network has arrays in each layer. Leave it out, or keep what "
                "record.coefficients() returns in a callback of your own."
            )
            raise TypeError(message)
        if about.start is None:
            self._points = []
            return
        W, b = about.start()
        if self._points:
            last_W, last_b, _ = self._points[-1]
            if np.array_equal(last_W, W) and np.array_equal(last_b, b):
                return
        self._points = [(W, b, float("nan"))]

    def __len__(self) -> int:
        return len(self._points)

    @property
    def coef_(self) -> np.ndarray[Any, Any]:
        """Coefficients, (n_points, n_features, n_outputs)."""
        return np.asarray([W for W, _, _ in self._points])

    @property
    def intercept_(self) -> np.ndarray[Any, Any]:
        """Intercepts, (n_points, n_outputs)."""
        return np.asarray([b for _, b, _ in self._points])

    @property
    def cost_(self) -> np.ndarray[Any, Any]:
        """Cost at each point, (n_points,)."""
        return np.asarray([cost for _, _, cost in self._points])
