"""The picture of a regularization path: curves, names, marks, counts, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

from xpfit import Lasso, LogisticRegression, plots, regularization_path
from xpfit.estimators.plots.regularization import LINE_HEIGHT, _apart

figure = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
X, Y = load_diabetes(return_X_y=True, as_frame=True)
PATH = regularization_path(Lasso(), X, Y, n_strengths=12)
FLOWERS = load_iris()
SOFTMAX = regularization_path(
    LogisticRegression(l1_ratio=1.0), FLOWERS.data, FLOWERS.target_names[FLOWERS.target],
    n_strengths=5, eps=0.05,
)  # fmt: skip


def curves(axes: Any) -> list[np.ndarray]:
    """The curves of the columns: one y for each strength."""
    return [np.asarray(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) > 2]


def test_curves_are_the_coefficients_from_strong_to_weak() -> None:
    given = figure.Figure().subplots()
    axes = plots.plot_regularization_path(PATH, ax=given, top=3)
    assert axes is given
    drawn = curves(axes)
    assert len(drawn) == 10
    assert {tuple(y) for y in drawn} == {tuple(y) for y in PATH.coefs.T}
    left, right = axes.get_xlim()
    assert left > right  # the large alpha is on the left
    assert axes.get_xscale() == "log"
    assert axes.get_ylabel() == "coefficient"
    largest = np.argsort(-np.abs(PATH.coefs[-1]))[:3]
    assert {text.get_text() for text in axes.texts} == set(X.columns[largest])


def test_the_chosen_strength_is_marked_and_decides_who_is_named() -> None:
    axes = plots.plot_regularization_path(PATH, top=2, chosen=float(PATH.values[3]))
    mark = [line for line in axes.lines if len(set(line.get_xdata())) == 1]
    assert mark[0].get_xdata()[0] == PATH.values[3]
    largest = np.argsort(-np.abs(PATH.coefs[3]))[:2]
    texts = [text.get_text() for text in axes.texts]
    assert texts[0] == f"alpha = {PATH.values[3]:.3g}"
    assert set(texts[1:]) == set(X.columns[largest])


def test_the_upper_axis_counts_columns() -> None:
    axes = plots.plot_regularization_path(PATH)
    axes.figure.canvas.draw()
    (above,) = axes.child_axes
    places = above.get_xticks()
    counts = [int(label.get_text()) for label in above.get_xticklabels()]
    assert places[0] == PATH.values[0]
    assert places[-1] == PATH.values[-1]
    assert counts == [int(PATH.n_nonzero[PATH.values == place][0]) for place in places]


def test_classes_are_drawn_alone_or_together() -> None:
    axes = plots.plot_regularization_path(SOFTMAX)
    assert axes.get_xlim()[0] < axes.get_xlim()[1]  # C grows as the penalty weakens
    assert {tuple(y) for y in curves(axes)} == {
        tuple(y) for y in np.linalg.norm(SOFTMAX.coefs, axis=1).T
    }
    one = plots.plot_regularization_path(SOFTMAX, output="virginica")
    assert {tuple(y) for y in curves(one)} == {tuple(y) for y in SOFTMAX.coefs[:, 2].T}
    assert one.get_ylabel() == "coefficient for virginica"
    assert {text.get_text() for text in one.texts} <= {"x0", "x1", "x2", "x3"}


def test_names_never_lie_on_each_other() -> None:
    heights = np.asarray([0.5, 0.1, 0.51, 0.505, 0.56, 0.9])
    order, placed = _apart(heights)
    assert (heights[order] == np.sort(heights)).all()
    assert (np.diff(placed) >= LINE_HEIGHT - 1e-12).all()
    assert (placed[0], placed[-1]) == (0.1, 0.9)  # nobody near: they stay
    assert np.mean(placed[1:5]) == pytest.approx(np.mean(heights[[0, 2, 3, 4]]))


def test_a_path_of_one_point_and_one_without_coefficients_can_be_drawn() -> None:
    one = regularization_path(Lasso(), X, Y, strengths=[1.0])
    axes = plots.plot_regularization_path(one)
    assert axes.lines[-1].get_marker() == "o"
    axes.figure.canvas.draw()
    empty = plots.plot_regularization_path(regularization_path(Lasso(), X, Y, strengths=[1e4, 1e5]))
    assert not empty.texts
    empty.figure.canvas.draw()


@pytest.mark.parametrize(
    ("path", "options", "error", "what"),
    [
        (Lasso(), {}, TypeError, "given Lasso"),
        (PATH, {"top": -1}, ValueError, "top=-1"),
        (PATH, {"chosen": 0.0}, ValueError, "positive alpha"),
        (PATH, {"output": "rose"}, ValueError, "leave it out"),
        (SOFTMAX, {"output": "rose"}, ValueError, "'rose' is no class"),
        (PATH, {"ax": "here"}, TypeError, "Axes"),
    ],
)
def test_bad_input_is_refused(path: Any, options: Any, error: Any, what: str) -> None:
    with pytest.raises(error, match=what):
        plots.plot_regularization_path(path, **options)
