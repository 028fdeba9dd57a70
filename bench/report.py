"""The speed table as Markdown, from results as JSON keeps them."""

from __future__ import annotations

from typing import Any

START, END = "<!-- speed-table:start -->", "<!-- speed-table:end -->"
VERDICTS = {True: "yes", False: "**no**", None: ""}
SENSES = {"<=": "at most", "<": "less than", ">=": "at least"}


def number(value: float | None, unit: str) -> str:
    """A figure as a reader wants it; None (NaN in JSON) could not be measured.

    Examples
    --------
    >>> number(0.3456, "x"), number(14.0, "passes"), number(-2.5e-6, "")
    ('0.346', '14 passes', '-2.5e-06')
    """
    if value is None:
        return "none"
    if unit == "passes":
        return f"{value:.0f} passes"
    if unit == "":
        return f"{value:.1e}"
    text = f"{value:.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"
    return text if unit == "x" else f"{text} {unit}"


def _target(figure: dict[str, Any]) -> str:
    if figure["target"] is None:
        return ""
    return f"{SENSES[figure['sense']]} {number(figure['target'], figure['unit'])}"


def _lines(row: dict[str, Any], figures: list[dict[str, Any]]) -> list[str]:
    return [
        f"| {row['key']} | {figure['label']} | {number(figure['value'], figure['unit'])} "
        f"| {_target(figure)} | {VERDICTS[figure['reached']]} |"
        for figure in figures
    ]


HEADER = ["| row | what | measured | target | reached |", "| --- | --- | --- | --- | --- |"]


def machine_line(machine: dict[str, Any]) -> str:
    """One sentence on the machine."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}, {versions}; "
        f"BLAS: {'; '.join(machine['blas'])}. Commit {machine['commit']}, {machine['date']}."
    )


def summary(results: dict[str, Any]) -> str:
    """The rows with their targets, and the machine: what docs/benchmarks.md shows."""
    rows = list(results["rows"].values())
    lines: list[str] = []
    for row in rows:
        lines += [f"- `{row['key']}`: {row['what']}."]
    lines += ["", *HEADER]
    for row in rows:
        lines += _lines(row, row["figures"])
    figures = [f for row in rows for f in (*row["figures"], *row["details"])]
    verdicts = [f["reached"] for f in figures if f["reached"] is not None]
    lines += ["", f"Targets reached: {sum(verdicts)} of {len(verdicts)} (details included)."]
    machines = dict.fromkeys(machine_line(row["machine"]) for row in rows)
    lines += ["", *(f"Measured on: {text}" for text in machines)]
    return "\n".join(lines) + "\n"


def _contestants(name: str, timings: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"{name}:", "",
        "| contestant | median, ms | spread, ms | ratio | first call, ms | rounds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for timing in timings:
        lines.append(
            f"| {timing['name']} | {1e3 * timing['median_s']:.4g} "
            f"| {1e3 * timing['spread_s']:.2g} | {timing['ratio']:.3g} "
            f"| {1e3 * timing['first_call_s']:.4g} | {timing['rounds']} |"
        )
    return [*lines, ""]


def whole_report(results: dict[str, Any]) -> str:
    """The summary, and for each row the details, all contestants and the notes."""
    lines = ["# The speed table", "", f"Size: {results['size']}.", "", summary(results)]
    for row in results["rows"].values():
        lines += [f"## {row['key']}", "", f"{row['what']}.", ""]
        if row["details"]:
            lines += [*HEADER, *_lines(row, row["details"]), ""]
        for name, timings in row["comparisons"].items():
            if isinstance(timings, list):
                lines += _contestants(name, timings)
        lines += [*(f"- {note}" for note in row["notes"]), ""]
        lines += [f"Measured in {row['seconds']:.0f} s. {machine_line(row['machine'])}", ""]
    return "\n".join(lines)


def put_between_markers(page: str, text: str, start: str = START, end: str = END) -> str:
    """The page with `text` between its two markers, each alone on its line.

    Raises
    ------
    ValueError
        Where the page lacks one of them.

    Examples
    --------
    >>> put_between_markers(f"a\\n{START}\\nold\\n{END}\\nz", "new\\n").splitlines()[2]
    'new'
    """
    before, first, rest = page.partition(start)
    _, last, after = rest.partition(end)
    if not first or not last:
        message = f"the page lacks {start} or {end}"
        raise ValueError(message)
    return f"{before}{start}\n{text}{end}{after}"
