"""The graph of a function as text and as a picture: values forward, derivatives backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..text_table import text_table
from .listing import Constant, ListedNode, listed, shown

# Of the files that `save` writes.
ENDINGS = (".svg", ".png")
MOST_NODES = 60


@dataclass(frozen=True, repr=False)
class Drawing:
    """The nodes of a function, to be read or looked at; made by `draw`.

    Attributes
    ----------
    nodes : list of ListedNode
        Leaves first, then operations in the order of the forward pass; the last is the result.
    most_nodes : int
        More are not drawn as a picture.
    """

    nodes: Sequence[ListedNode]
    most_nodes: int = MOST_NODES

    def __str__(self) -> str:
        has_gradients = self.nodes[-1].gradient is not None
        head = ["node", "operation", "arguments", "value", *["gradient"] * has_gradients]
        rows = [
            [
                f"#{node.number}",
                node.name,
                ", ".join(map(_argument, node.arguments)),
                shown(node.value),
                *[shown(node.gradient)] * has_gradients,
            ]
            for node in self.nodes
        ]
        table = text_table(head, rows, left=len(head))
        if len(self.nodes) <= self.most_nodes:
            return table
        return (
            f"{table}\n{len(self.nodes):,} nodes: no picture of more than {self.most_nodes}. "
            "draw(..., most_nodes=) sets another limit."
        )

    __repr__ = __str__

    def plot(self, ax: Any = None) -> Any:
        """Draw boxes from left to right: argument, operation, result, and arrows between them.

        Parameters
        ----------
        ax : matplotlib Axes or None
            None: those of a new figure, as large as the graph needs.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ValueError
            For more nodes than `most_nodes`.
        ModuleNotFoundError
            Where matplotlib is not installed.

        Examples
        --------
        >>> axes = draw(lambda x, y: x * y + x**2, 2.0, 3.0).plot()
        >>> len(axes.texts), axes.axison
        (0, False)
        """
        if len(self.nodes) > self.most_nodes:
            message = (
                f"draw was asked for a picture of {len(self.nodes):,} nodes, and draws at most "
                f"{self.most_nodes}: nobody could read it. print(drawing) lists them all, "
                f"draw(..., most_nodes={len(self.nodes)}) draws them all the same; or draw a "
                "smaller part of the function."
            )
            raise ValueError(message)
        from .picture import graph_picture

        return graph_picture(self.nodes, ax)

    def save(self, path: str | Path) -> None:
        """Write the picture as SVG or PNG, by the ending of the path.

        Parameters
        ----------
        path : str or Path

        Raises
        ------
        ValueError
            For another ending, or more nodes than `most_nodes`.
        ModuleNotFoundError
            Where matplotlib is not installed.
        """
        ending = Path(path).suffix.lower()
        if ending not in ENDINGS:
            message = (
                f"draw was asked to write {Path(path).name!r}, whose ending is "
                f"{ending or 'missing'}. It writes {' and '.join(ENDINGS)}."
            )
            raise ValueError(message)
        figure = self.plot().figure
        import matplotlib as mpl

        # The same graph is the same file: without a date, and without names drawn by chance.
        metadata = {"Date": None} if ending == ".svg" else None
        with mpl.rc_context({"svg.hashsalt": "xpfit"}):
            figure.savefig(path, dpi=150, metadata=metadata)


def draw(
    function: Callable[..., Any],
    *arguments: Any,
    path: str | Path | None = None,
    gradient: Any = None,
    most_nodes: int = MOST_NODES,
) -> Drawing:
    """Run a function on nodes, and show each with its value and its gradient.

    Parameters
    ----------
    function : callable
        Written on a namespace over nodes; returns one array or number.
    *arguments : arrays, numbers, or trees of them
        Of a floating dtype, to be leaves; others are constants.
    path : str, Path or None
        Where to write the picture, as `Drawing.save` does.
    gradient : array or None
        The derivative of something further on with respect to the result, of its shape. None: 1 for
        one number; for an array no gradients are shown.
    most_nodes : int
        More are not drawn as a picture.

    Returns
    -------
    Drawing
        `print(drawing)` lists the nodes, `drawing.save(path)` and `drawing.plot(ax)` draw them.

    Raises
    ------
    TypeError
        For a function that returns no array, or none that came from its arguments.
    ValueError
        For a gradient of another shape, another ending of the path, or a picture of too many nodes.

    Examples
    --------
    >>> draw(lambda x, y: x * y + x**2, 2.0, 3.0)
    node  operation  arguments  value  gradient
    #0    x                     2      7
    #1    y                     3      2
    #2    multiply   #0, #1     6      1
    #3    pow        #0, 2      4      1
    #4    add        #2, #3     10     1
    """
    drawing = Drawing(listed(function, arguments, gradient), most_nodes)
    if path is not None:
        drawing.save(path)
    return drawing


def _argument(argument: int | Constant) -> str:
    if isinstance(argument, int):
        return f"#{argument}"
    return argument.name or shown(argument.value)
