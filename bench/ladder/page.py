"""The ladder as Markdown, JSON and one HTML page."""

from __future__ import annotations

import base64
import html
import importlib.util
import json
from pathlib import Path
from typing import Any

from ..report import machine_line
from .rungs import LOOP

FORMAT = 1


class ResultsError(ValueError):
    """A file of results that is of another format, or another machine's."""


def seconds_text(seconds: float | None) -> str:
    """A time as a reader wants it.

    Examples
    --------
    >>> seconds_text(0.00123), seconds_text(2.5e-6), seconds_text(12.0), seconds_text(None)
    ('1.23 ms', '2.5 µs', '12 s', '')
    """
    if seconds is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100.0 * value:.0f} %"


HEADINGS = (
    "case", "n", "rung", "median", "spread", "reference / this", "loop, scaled / this",
    "first call", "transfer", "of the memory's rate", "of the matrix rate",
)  # fmt: skip


def cells(record: dict[str, Any]) -> tuple[str, ...]:
    """One row of the table."""
    start = record["case"], f"{record['n']:,}", record["rung"]
    if record.get("refused"):
        return (*start, record["refused"], *[""] * (len(HEADINGS) - 4))
    scaled = record.get("scaled_loop_s")
    return (
        *start,
        seconds_text(record["median_s"]),
        seconds_text(record["spread_s"]),
        f"{record['speedup']:.3g}",
        "" if scaled is None else f"{scaled / record['median_s']:.3g}",
        seconds_text(record["first_call_s"]),
        seconds_text(record["transfer_s"]),
        _share(record["share_of_memory"]),
        _share(record["share_of_matrix_rate"]),
    )


def losing(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The compiled, fused and device rungs that were slower than NumPy's."""
    return [
        r for r in records
        if r.get("speedup", 1.0) < 0.95 and r["rung"] != LOOP and not r.get("peer")
    ]  # fmt: skip


def _table(records: list[dict[str, Any]]) -> list[str]:
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    rows = [" | ".join(text.replace("|", "/") for text in cells(record)) for record in records]
    return lines + [f"| {' '.join(row.split())} |" for row in rows]


def _rates_line(results: dict[str, Any]) -> str:
    rates = results["rates"]
    return (
        f"All threads together read {rates['read'] / 1e9:.3g} GB/s and copy "
        f"{rates['copy'] / 1e9:.3g} GB/s (read and written); a matrix product makes "
        f"{rates['matrix'] / 1e9:.3g} Gflop/s (float64)."
    )


NOTES = (
    "Times are medians of rounds in which all rungs of a case and size take turns; the first call "
    "(compiling, page faults) and the transfer to a device are apart. The reference is NumPy's "
    "rung, or the first one where a case has none. Every rung agreed with its result before it "
    "was timed; one that did not stands in the table without a time. Python loops are timed where "
    "they end soon; what they would take at larger n is in the column that says so, and nowhere "
    "else. A share of the memory's rate is given where the data exceed 64 MiB: of a parallel "
    "read, or of a parallel copy where the result is as large as the data. Fused rungs write into "
    "an array that is made once; the case in_place_or_fresh shows what fresh ones cost."
)


def markdown(results: dict[str, Any]) -> str:
    """The whole report."""
    records = results["records"]
    lines = ["# The ladder", "", NOTES, "", _rates_line(results), ""]
    for case, what in results["cases"].items():
        own = [r for r in records if r["case"] == case]
        if own:
            lines += [f"## {case}", "", f"{what}.", "", *_table(own), ""]
    lines += ["## Slower than NumPy", ""]
    lines += _table(losing(records)) if losing(records) else ["None."]
    return "\n".join([*lines, "", f"Measured on: {machine_line(results['machine'])}", ""])


def page(results: dict[str, Any], pictures: dict[str, Path]) -> str:
    """The same as one HTML file, pictures inside."""
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>xpfit: the ladder</title>",
        f"<style>{_STYLE}</style><h1>The ladder</h1><p>{html.escape(NOTES)}</p>",
        f"<p>{html.escape(_rates_line(results))}</p>",
    ]
    for title, path in pictures.items():
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        parts.append(
            f"<h2>{html.escape(title)}</h2>"
            f"<img alt='{html.escape(title)}' src='data:image/png;base64,{data}'>"
        )
    for case, what in results["cases"].items():
        own = [r for r in results["records"] if r["case"] == case]
        if own:
            parts.append(f"<h2 id='{case}'>{case}</h2><p>{html.escape(what)}</p>{_rows(own)}")
    slow = losing(results["records"])
    parts.append("<h2>Slower than NumPy</h2>" + (_rows(slow, first=0) if slow else "<p>None.</p>"))
    parts.append(f"<footer>{html.escape(machine_line(results['machine']))}</footer>")
    return "\n".join(parts)


def _rows(records: list[dict[str, Any]], first: int = 1) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in HEADINGS[first:])
    rows = [
        "<tr>"
        + "".join(f"<td>{html.escape(text)}</td>" for text in cells(record)[first:])
        + "</tr>"
        for record in records
    ]
    return f"<div class='wide'><table><tr>{head}</tr>{''.join(rows)}</table></div>"


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em;
       color: #222; }
img { max-width: 100%; } footer { color: #666; margin-top: 3em; font-size: 13px; }
table { border-collapse: collapse; font-size: 13px; } .wide { overflow-x: auto; }
th, td { padding: 2px 10px; text-align: right; border-bottom: 1px solid #ddd; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; } h2 { margin-top: 2em; }
"""


def same_machine(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two runs may be put into one table: same processor, cores and library versions."""
    keys = ("cpu", "cores", "system", "python", "versions")
    return all(one.get(key) == other.get(key) for key in keys)


def read_results(path: Path, machine: dict[str, Any]) -> dict[str, Any]:
    """Earlier results of this machine.

    Raises
    ------
    ResultsError
        For a file of another format or machine: the two are never mixed.
    """
    try:
        results: dict[str, Any] = json.loads(path.read_text("utf-8"))
        known = results["format"] == FORMAT and isinstance(results["records"], list)
        same = same_machine(results["machine"], machine)
        measured_on = machine_line(results["machine"]) if known else ""
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        message = f"{path} holds no results of xpfit bench ({problem}). Name another folder."
        raise ResultsError(message) from problem
    if not known:
        message = f"{path} has format {results['format']!r}, not {FORMAT}. Name another folder."
        raise ResultsError(message)
    if not same:
        message = (
            f"{path} was measured on another machine, or with other library versions: "
            f"{measured_on} Results are never mixed. Name another folder "
            "with --out, or use --overwrite."
        )
        raise ResultsError(message)
    return results


def write(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write ladder.json, ladder.md, ladder.html and, where matplotlib is installed, pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "ladder.json", folder / "ladder.md"]
    written[0].write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", "utf-8")
    written[1].write_text(markdown(results), "utf-8")
    pictures: dict[str, Path] = {}
    if importlib.util.find_spec("matplotlib") is not None:
        from .charts import draw_ladders, draw_roofline

        pictures = {
            "Time against n": folder / "ladder.png",
            "Roofline": folder / "roofline.png",
        }
        draw_ladders(results["records"], pictures["Time against n"])
        draw_roofline(results["records"], results["rates"], pictures["Roofline"])
    written += pictures.values()
    written.append(folder / "ladder.html")
    written[-1].write_text(page(results, pictures), "utf-8")
    return written
