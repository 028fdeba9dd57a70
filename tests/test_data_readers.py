"""Files become tables, or one clear sentence about what is wrong with them."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from xpfit.data import DataError, read_table

CSV = "age, job ,income\n 31 ,cook, 1.5\n45, ? ,\nNA,smith,2\n"


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


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_csv_strips_infers_and_finds_missing_values(tmp_path, name):
    path = tmp_path / name
    raw = CSV.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    table = read_table(path)
    assert table.names == ("age", "job", "income")
    np.testing.assert_array_equal(table.column("age"), [31, 45, np.nan])
    np.testing.assert_array_equal(table.column("income"), [1.5, np.nan, 2])
    assert texts(table, "job") == ["cook", "", "smith"]


@pytest.mark.parametrize("mark", ["", "?", "NA", "N/A", "NaN", "nan", "null", "NULL"])
def test_every_missing_marker(tmp_path, mark):
    path = tmp_path / "a.csv"
    path.write_text(f"x,t\n1,a\n{mark},{mark}\n3,b\n")
    table = read_table(path)
    np.testing.assert_array_equal(table.column("x"), [1, np.nan, 3])
    assert texts(table, "t") == ["a", "", "b"]


def test_none_is_a_category_and_not_missing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,t\n1,none\n2,mild\n")
    assert texts(read_table(path), "t") == ["none", "mild"]


@pytest.mark.parametrize(("mark", "suffix"), [(";", "csv"), ("\t", "tsv"), ("|", "csv")])
def test_delimiter_is_taken_from_the_header(tmp_path, mark, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_text(f"x{mark}y\n1{mark}2\n")
    assert read_table(path).names == ("x", "y")


def test_quoted_names_newlines_and_byte_order_mark(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbf"x, cm",t\r\n1,"a\nb"\r\n')
    table = read_table(path)
    assert table.names == ("x, cm", "t")
    assert texts(table, "t") == ["a\nb"]


def test_a_late_text_makes_the_whole_column_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "1,2\n" * 400_000 + "1,late\n")
    table = read_table(path)
    assert table.categories["y"].levels == ("2", "late")
    assert table.n_rows == 400_001


def test_texts_among_numbers_are_named(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"{k},{k}" for k in range(30)]
    rows[7] = "7,seven"
    path.write_text("\n".join(["x,y", *rows]) + "\n")
    table = read_table(path)
    assert table.kind("y") == "categorical"
    (note,) = table.notes
    assert "column 'y' is read as categories: 1 of 30 cells are no numbers" in note
    assert "'seven' in data row 8" in note
    assert read_table(path, ["y"]).notes == ()


def test_decimal_commas_are_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x;y\n1,5;1\n2;2\n3,25;3\n")
    assert "its numbers have commas ('1,5')" in read_table(path).notes[0]
    path.write_text("x;y\n1,5;1\nlow;2\nhigh;3\n")
    assert read_table(path).notes == ()


def test_a_last_cell_without_a_line_break_is_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,2\n3,45")
    assert "its last cell is incomplete" in read_table(path).notes[0]
    path.write_text("x,y\n1,2\n3,45\r\n")
    assert read_table(path).notes == ()


def test_an_empty_line_of_a_single_column_is_a_missing_value(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x\n1\n\n3\n")
    np.testing.assert_array_equal(read_table(path).column("x"), [1, np.nan, 3])


def test_text_columns_keep_leading_zeros(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("code,x\n007,1\n010,2\n")
    assert texts(read_table(path, ["code"]), "code") == ["007", "010"]
    assert read_table(path).kind("code") == "numeric"


def test_dates_and_booleans(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("when,ok\n1970-01-03,true\n1970-01-01,false\n")
    table = read_table(path)
    np.testing.assert_array_equal(table.column("when"), [2, 0])
    assert texts(table, "ok") == ["true", "false"]
    assert "days since 1970" in table.notes[0]


def test_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "adult.csv").write_text("x\n1\n")
    message = refused(tmp_path / "adultt.csv")
    assert "does not exist" in message
    assert "adult.csv" in message


@pytest.mark.parametrize("name", ["a.xlsx", "a.txt", "a", "a.npz.gz"])
def test_unknown_extension(tmp_path, name):
    path = tmp_path / name
    path.write_text("x")
    message = refused(path)
    assert "names no format that xpfit reads" in message
    assert ".parquet" in message


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.npz", "a.svm", "a.csv.gz"])
def test_empty_file(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")
    assert "the file is empty" in refused(path)


def test_header_without_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n")
    assert "no rows" in refused(path)


def test_a_folder(tmp_path):
    assert "it is a folder" in refused(tmp_path)


@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_truncated_gzip(tmp_path, cut):
    path = tmp_path / "a.csv.gz"
    rows = np.random.default_rng(0).normal(size=(3000, 2))
    raw = gzip.compress(("x,y\n" + "\n".join(f"{a},{b}" for a, b in rows)).encode())
    path.write_bytes(raw[: int(len(raw) * cut)])
    assert "cut off or corrupt" in refused(path)


def test_gzip_in_name_only(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_text("x,y\n1,2\n")
    assert "cannot be read" in refused(path)


def test_csv_cut_off_in_the_middle_of_a_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y,z\n1,2,3\n4,5")
    message = refused(path)
    assert "cut off or corrupt" in message
    assert "Expected 3 columns, got 2" in message


def test_csv_without_a_header(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1,2\n3,4\n")
    assert "not column names" in refused(path)


def test_duplicate_columns(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y,x \n1,2,3\n")
    assert "duplicate column names: 'x' (2 times)" in refused(path)


def test_text_that_is_not_utf8(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"x,t\n1,caf\xe9\n")
    message = refused(path)
    assert "column 't' is not UTF-8" in message
    assert "iconv -f latin1" in message
    path.write_text("x,t\n1,2\n", "utf-16")
    assert "iconv -f utf-16" in refused(path)
