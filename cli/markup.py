"""Pieces of the report as HTML; every text that comes from a file or a user is escaped here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape

from .plots import try_draw


def warning(html: str) -> str:
    """A paragraph that stands out; its text is HTML already.

    Examples
    --------
    >>> warning("no <b>pictures</b>")
    '<p class="warn">no <b>pictures</b></p>'
    """
    return f'<p class="warn">{html}</p>'


def section(title: str, lead: str, content: str) -> str:
    """A heading, a sentence, and what follows; nothing where there is no content.

    Parameters
    ----------
    title, lead : str
        Text, to be escaped.
    content : str
        HTML.

    Examples
    --------
    >>> section("a < b", "", "<p>yes</p>")
    '<section><h2>a &lt; b</h2><p>yes</p></section>'
    """
    if not content:
        return ""
    text = f"<p>{escape(lead)}</p>" if lead else ""
    return f"<section><h2>{escape(title)}</h2>{text}{content}</section>"


def figure(*draw: Callable[[], str]) -> str:
    """One picture, or two side by side; nothing where matplotlib is missing."""
    drawn = [try_draw(one) for one in draw]
    figures = [f"<figure>{svg}</figure>" for svg in drawn if svg]
    kind = "two" if len(draw) > 1 else "wide"
    return f'<div class="{kind}">{"".join(figures)}</div>' if figures else ""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1) -> str:
    """A table; the first columns hold text and the others numbers."""

    def cell(tag: str, position: int, text: str) -> str:
        align = ' class="n"' if position >= text_columns else ""
        return f"<{tag}{align}>{escape(text)}</{tag}>"

    head = "".join(cell("th", i, text) for i, text in enumerate(headings))
    body = "".join(
        f"<tr>{''.join(cell('td', i, text) for i, text in enumerate(row))}</tr>" for row in rows
    )
    made = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{made}</div>'


def keys(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values.

    Examples
    --------
    >>> keys([("a", "<b>")])
    '<table class="keys"><tbody><tr><td>a</td><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    body = "".join(f"<tr><td>{escape(k)}</td><td>{escape(v)}</td></tr>" for k, v in rows)
    return f'<table class="keys"><tbody>{body}</tbody></table>'
