"""Parquet, npz and LIBSVM files become tables, or one clear sentence about what is wrong."""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from scipy import sparse

from xpfit.data import DataError, read_table
from xpfit.data.table import Categories


def refused(path) -> str:
    """The message with which a file is refused."""
    with pytest.raises(DataError) as caught:
        read_table(path)
    message = str(caught.value)
    assert "What to do: " in message
    assert str(path) in message
    return message


def texts(table, name):
    return table.categories[name].texts().tolist()


def test_parquet_types(tmp_path):
    path = tmp_path / "a.parquet"
    columns = {
        "i": pa.array([1, None, 3], pa.int32()),
        "f": pa.array([0.5, 1.5, None], pa.float32()),
        "s": pa.array([" a", None, "b"]),
        "d": pa.array(["u", "v", "u"]).dictionary_encode(),
        "b": pa.array([True, False, None]),
        "__index_level_0__": pa.array([7, 8, 9]),
    }
    parquet.write_table(pa.table(columns), path)
    table = read_table(path)
    assert table.names == ("i", "f", "s", "d", "b")
    np.testing.assert_array_equal(table.column("i"), [1, np.nan, 3])
    np.testing.assert_array_equal(table.column("f"), [0.5, 1.5, np.nan])
    assert [texts(table, name) for name in "sdb"] == [
        ["a", "", "b"],
        ["u", "v", "u"],
        ["true", "false", ""],
    ]


def test_nested_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"v": pa.array([[1], [2]])}), path)
    assert "column 'v'" in refused(path)


def test_corrupt_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"x": list(range(1000))}), path)
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut off or corrupt" in refused(path)


def test_npz_dense(tmp_path):
    path = tmp_path / "a.npz"
    X = np.arange(6, dtype=np.uint8).reshape(3, 2)
    np.savez(path, X=X, y=np.array(["b", "a", "b"]), feature_names=np.array(["u", "v"]))
    table = read_table(path)
    assert table.names == ("u", "v")
    assert table.block.dtype == np.uint8
    assert table.default_target == "y"
    target = table.column("y")
    assert isinstance(target, Categories)
    assert target.texts().tolist() == ["b", "a", "b"]


def test_npz_parts_are_put_together(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(
        path,
        X_train=np.eye(2),
        y_train=np.array([0, 1]),
        X_test=np.ones((1, 2)),
        y_test=np.array([1]),
    )
    table = read_table(path)
    assert table.n_rows == 3
    assert table.aside["split"].texts().tolist() == ["train", "train", "test"]
    assert "split" not in table.names


def test_npz_csr(tmp_path):
    path = tmp_path / "a.npz"
    made = sparse.csr_matrix([[0.0, 2.0], [0.0, 0.0], [1.0, 0.0]])
    parts = {"data": made.data, "indices": made.indices, "indptr": made.indptr}
    np.savez(path, **parts, shape=np.array(made.shape), y=np.array([0, 1, 0]))
    np.testing.assert_array_equal(read_table(path).block.toarray(), made.toarray())
    parts["indices"] = parts["indices"] + 5
    np.savez(path, **parts, shape=np.array(made.shape))
    assert "CSR arrays are inconsistent" in refused(path)


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"A": np.eye(2)}, "neither X nor data"),
        ({"X": np.ones(3)}, "X has shape (3,)"),
        ({"X": np.array([["a"]])}, "store a matrix of numbers"),
        ({"X": np.eye(2), "y": np.ones(3)}, "X has 2 rows, but y has shape (3,)"),
        ({"X": np.eye(2), "feature_names": np.array(["a"])}, "but feature_names has shape (1,)"),
        ({"X": np.array([[None]], dtype=object)}, "loads no pickles"),
    ],
)
def test_npz_refused(tmp_path, arrays, text):
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    assert text in refused(path)


def test_npz_cut_off(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, X=np.eye(50))
    path.write_bytes(path.read_bytes()[:5000])
    assert "corrupt" in refused(path)


@pytest.mark.parametrize("name", ["a.svm", "a.libsvm", "a.svm.gz"])
def test_libsvm(tmp_path, name):
    path = tmp_path / name
    raw = b"# made by hand\n+1 1:0.5 4:-2\n\n-1 qid:3 2:1 # end\n1\n"
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    table = read_table(path)
    assert table.names == ("x1", "x2", "x3", "x4")
    expected = [[0.5, 0, 0, -2], [0, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(table.block.toarray(), expected)
    np.testing.assert_array_equal(table.column("y"), [1, -1, 1])


def test_libsvm_that_counts_from_zero(tmp_path):
    path = tmp_path / "a.svm"
    path.write_text("1 0:3 1:4\n0 1:5\n")
    assert read_table(path).names == ("x0", "x1")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("1 2:x", "label index:value"),
        ("1 2", "label index:value"),
        ("1 2:3 2:4", "its indices do not increase"),
        ("1,2 1:1", "it has several labels"),
    ],
)
def test_libsvm_names_the_line(tmp_path, line, text):
    path = tmp_path / "a.svm"
    path.write_text(f"1 1:1\n{line}\n")
    message = refused(path)
    assert f"line 2 of {path}" in message
    assert text in message


def test_libsvm_truncated_gzip(tmp_path):
    path = tmp_path / "a.svm.gz"
    raw = gzip.compress(b"1 1:0.25 2:0.5\n" * 5000)
    path.write_bytes(raw[:-20])
    assert "cut off or corrupt" in refused(path)
