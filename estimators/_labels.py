"""Class labels: their distinct values, a code per row, and what class_weight makes of them.

Labels of a million rows are coded in a few milliseconds and a few bytes per row: counting for
integers, comparison for two classes, a dictionary for objects, sorting only where nothing else
works.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import DataConversionWarning

from ..backends import backend_of
from ._inputs import name_of, to_host
from ._targets import check_rows

# Integers that span at most this many values (or 4 for each row) are counted, not sorted.
_COUNTED_SPAN = 65_536
# What y of a classifier may not look like, in scikit-learn's words.
_CONTINUOUS = (
    "Unknown label type: continuous. {who}: y holds fractions such as {example:g}; a classifier "
    "takes class labels. Bin the target, or use a regressor such as LinearRegression."
)

Codes = np.ndarray[Any, np.dtype[np.int32]]


class Labels(NamedTuple):
    """Class labels of a training set."""

    classes: np.ndarray[Any, Any]  # shape=(n_classes,), sorted
    codes: Codes  # shape=(n_samples,), y == classes[codes]; (n_samples, n_labels) of 0 and 1


def held_on_host(y: Any) -> bool:
    """Whether y is host data that no device library could hold: text, or Python objects."""
    if backend_of(y) is not None:
        return False
    values = y if isinstance(y, np.ndarray) else np.asarray(y)
    return values.dtype.kind not in "biuf"


def encode_labels(estimator: Any, y: Any, n_samples: int) -> Labels:
    """The sorted classes of y and the code of each row.

    Parameters
    ----------
    estimator : estimator
        For errors.
    y : array-like of shape (n_samples,)
        Integers, booleans, whole floats, or text; device arrays are copied to the host once.
    n_samples : int
        Rows of X.

    Raises
    ------
    ValueError
        For fewer than two classes, fractions, NaN, several columns, or another length than X's.

    Examples
    --------
    >>> import numpy as np
    >>> labels = encode_labels(None, np.asarray(["no", "yes", "no"]), 3)
    >>> labels.classes.tolist(), labels.codes.tolist()
    (['no', 'yes'], [0, 1, 0])
    """
    labels = _read(estimator, y, n_samples)
    _check_number_of_classes(labels.classes, name_of(estimator))
    return labels


def _read(estimator: Any, y: Any, n_samples: int) -> Labels:
    who = name_of(estimator)
    y = np.asarray(to_host(y))
    if y.ndim == 2 and y.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Please change the shape "
            "of y to (n_samples,), for example using ravel().",
            DataConversionWarning,
            stacklevel=4,
        )
        y = y.reshape(-1)
    if y.ndim != 1:
        message = (
            f"{who}: y should be a 1d array, got an array of shape {y.shape} instead. For several "
            "labels per row use sklearn.multioutput.MultiOutputClassifier."
        )
        raise ValueError(message)
    check_rows(who, "y", y.shape[0], n_samples)
    return _encode(y, who)


def codes_among(estimator: Any, y: Any, classes: np.ndarray[Any, Any], n_samples: int) -> Codes:
    """The code of each row among classes that are known already: a part of them may do.

    Raises
    ------
    ValueError
        For a label that is not among them, and as `encode_labels`.
    """
    found = _read(estimator, y, n_samples)
    known = {label: code for code, label in enumerate(classes.tolist())}
    new = [label for label in found.classes.tolist() if label not in known]
    if new:
        message = (
            f"{name_of(estimator)}: y holds {new[0]!r}, which is not among the classes "
            f"{', '.join(map(repr, classes.tolist()[:10]))}. Name all labels in the first call's "
            "classes."
        )
        raise ValueError(message)
    position = np.asarray([known[label] for label in found.classes.tolist()], dtype=np.int32)
    codes: Codes = position[found.codes]
    return codes


def known_classes(estimator: Any, classes: Any, *, first: bool) -> np.ndarray[Any, Any]:
    """The classes of `partial_fit`: given at the first call, and the same ever after.

    Raises
    ------
    ValueError
        Where they are missing, too few or others, and for class_weight="balanced".
    """
    who = name_of(estimator)
    if estimator.class_weight == "balanced":
        message = (
            f"{who}.partial_fit: class_weight='balanced' is not supported for partial_fit: it "
            "needs all labels at once. Give class_weight as a dict, or sample_weight."
        )
        raise ValueError(message)
    if classes is None:
        if first:
            message = (
                f"{who}.partial_fit: classes must be passed on the first call to partial_fit: "
                "later batches may bring labels that this one lacks."
            )
            raise ValueError(message)
        known: np.ndarray[Any, Any] = estimator.classes_
        return known
    given = np.unique(np.asarray(classes))
    if not first and not np.array_equal(given, estimator.classes_):
        message = (
            f"{who}.partial_fit: classes={given.tolist()!r} is not the same as on the last "
            f"call to partial_fit, {estimator.classes_.tolist()!r}. Fit a clone() for other labels."
        )
        raise ValueError(message)
    _check_number_of_classes(given, who)
    return given


def split_by_class(
    estimator: Any, labels: Labels, fraction: float, rng: np.random.Generator
) -> np.ndarray[Any, Any]:
    """Rows to hold out, ascending: that share of the rows of each class, as near as whole rows go.

    Raises
    ------
    ValueError
        Where nothing would be held out, or nothing be left to learn from.
    """
    n_samples = labels.codes.shape[0]
    n_held = round(fraction * n_samples)
    _check_split(estimator, n_held, n_samples, fraction)
    shares = fraction * np.bincount(labels.codes, minlength=labels.classes.shape[0])
    counts = np.floor(shares).astype(int)
    # The rows still wanted go to the classes that rounding has cost most.
    most_lost = np.argsort(counts - shares, kind="stable")
    counts[most_lost[: n_held - counts.sum()]] += 1
    shuffled = rng.permutation(n_samples)
    held = [shuffled[labels.codes[shuffled] == code][:count] for code, count in enumerate(counts)]
    return np.sort(np.concatenate(held))


def split_rows(
    estimator: Any, n_samples: int, fraction: float, rng: np.random.Generator
) -> np.ndarray[Any, Any]:
    """As `split_by_class`, of all rows together."""
    n_held = round(fraction * n_samples)
    _check_split(estimator, n_held, n_samples, fraction)
    return np.sort(rng.permutation(n_samples)[:n_held])


def _check_split(estimator: Any, n_held: int, n_samples: int, fraction: float) -> None:
    if 0 < n_held < n_samples:
        return
    left = "no row to hold out" if n_held == 0 else "no row to learn from"
    message = (
        f"{name_of(estimator)}(early_stopping=True, validation_fraction={fraction}): of "
        f"{n_samples} sample(s) that leaves {left}. Change validation_fraction, or set "
        "early_stopping=False."
    )
    raise ValueError(message)


def _check_number_of_classes(classes: np.ndarray[Any, Any], who: str) -> None:
    if classes.shape[0] < 2:
        message = (
            f"{who} needs samples of at least 2 classes in y, but the data contain only one "
            f"class: {classes[:1].tolist()[0]!r}. Check how y was made, or how the rows were split."
        )
        raise ValueError(message)


def _encode(y: np.ndarray[Any, Any], who: str) -> Labels:
    kind = y.dtype.kind
    if kind == "b":
        return _encode_counted(y.view(np.uint8), y.dtype)
    if kind in "iu":
        low, high = int(y.min()), int(y.max())
        if high - low <= max(_COUNTED_SPAN, 4 * y.shape[0]) and high < np.iinfo(np.int64).max:
            return _encode_counted(y, y.dtype)
        return _encode_sorted(y)
    if kind == "f":
        return _encode_sorted(_check_whole(y, who))
    if kind == "c":
        message = f"{who}: Complex data not supported (y is {y.dtype}). Pass class labels."
        raise ValueError(message)
    if kind in "US":
        return _encode_sorted(y)
    return _encode_objects(y.astype(object, copy=False), who)


def _check_whole(y: np.ndarray[Any, Any], who: str) -> np.ndarray[Any, Any]:
    total = float(np.sum(y, dtype=np.float64))
    if not np.isfinite(total):
        problem = "NaN" if np.isnan(y).any() else "infinity"
        message = f"{who}: Input y contains {problem}. Remove these rows, or give them a label."
        raise ValueError(message)
    fractional = y != np.rint(y)
    if fractional.any():
        message = _CONTINUOUS.format(who=who, example=float(y[fractional][0]))
        raise ValueError(message)
    return y


def _encode_counted(y: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> Labels:
    low, high = int(y.min()), int(y.max())
    # Subtraction in a type that holds every difference; uint8 minus 250 would wrap around.
    shifted = y if low == 0 else y.astype(np.int64) - low
    counts = np.bincount(shifted, minlength=high - low + 1)
    present = np.flatnonzero(counts)
    code_of = np.zeros(counts.shape[0], dtype=np.int32)
    code_of[present] = np.arange(present.shape[0], dtype=np.int32)
    return Labels((present + low).astype(dtype), code_of[shifted])


def _encode_sorted(y: np.ndarray[Any, Any]) -> Labels:
    classes = np.unique(y)
    if classes.shape[0] == 2:
        return Labels(classes, (y == classes[1]).astype(np.int32))
    return Labels(classes, np.searchsorted(classes, y).astype(np.int32))


def _encode_objects(y: np.ndarray[Any, Any], who: str) -> Labels:
    values = y.tolist()
    distinct = set(values)
    kinds = {type(value) for value in distinct}
    if not (all(issubclass(kind, str) for kind in kinds) or _all_numbers(kinds)):
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        message = (
            f"Unknown label type: {who}: y mixes or holds values of type {found}. Labels must be "
            "all text or all numbers, none missing: drop the rows without a label, or convert "
            "with y.astype(str)."
        )
        raise ValueError(message)
    if _all_numbers(kinds):
        return _encode(np.asarray(values), who)
    ordered = sorted(distinct)
    code_of = {value: code for code, value in enumerate(ordered)}
    codes = np.fromiter(map(code_of.__getitem__, values), dtype=np.int32, count=len(values))
    return Labels(np.asarray(ordered, dtype=object), codes)


def _all_numbers(kinds: set[type]) -> bool:
    return all(issubclass(kind, (bool, int, float, np.number, np.bool_)) for kind in kinds)
