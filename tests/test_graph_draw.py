"""Graphs as text and as pictures: every node with its value and gradient, and where boxes stand."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xpfit.backends import Backend
from xpfit.core.graph import checkpoint, draw, grad, namespace
from xpfit.core.graph.layout import Layout, layered, ranks
from xpfit.core.graph.listing import shown

figure = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
xp = namespace(np)


def polynomial(x: Any, y: Any) -> Any:
    return x * y + x**2


def chain(x: Any) -> Any:
    for _ in range(70):
        x = x * 1.0
    return x


def gids(axes: Any) -> list[str]:
    return [patch.get_gid() for patch in axes.patches if patch.get_gid()]


def test_every_node_has_its_gradient(backend: Backend) -> None:
    space = namespace(backend.xp)

    def rest(raw: Any) -> Any:  # what follows after the first product
        return space.mean(space.log(1.0 + space.exp(raw)) * raw)

    X = backend.from_numpy(np.asarray([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]]))
    W = backend.from_numpy(np.asarray([0.3, -0.2]))
    drawing = draw(lambda X, W: rest(X @ W), X, W)
    X_node, W_node, raw = drawing.nodes[:3]
    assert (X_node.name, W_node.name, raw.name) == ("X", "W", "matmul")
    assert raw.arguments == (0, 1)
    np.testing.assert_allclose(backend.to_numpy(raw.value), backend.to_numpy(X @ W), rtol=1e-14)
    # What pull_back says of an inner node is the gradient of what follows after it.
    want = backend.to_numpy(grad(rest)(X @ W))
    np.testing.assert_allclose(backend.to_numpy(raw.gradient), want, rtol=1e-13)
    want = backend.to_numpy(grad(lambda w: rest(space.matmul(X, w)))(W))
    np.testing.assert_allclose(backend.to_numpy(W_node.gradient), want, rtol=1e-13)
    assert "mean" in str(drawing)


def test_text_of_a_small_graph() -> None:
    text = str(draw(polynomial, 2.0, 3.0)).splitlines()
    assert text[0].split() == ["node", "operation", "arguments", "value", "gradient"]
    assert [line.split()[1:] for line in text[1:]] == [
        ["x", "2", "7"],
        ["y", "3", "2"],
        ["multiply", "#0,", "#1", "6", "1"],
        ["pow", "#0,", "2", "4", "1"],
        ["add", "#2,", "#3", "10", "1"],
    ]


def test_names_places_and_constants() -> None:
    labels = np.asarray([1, 0])

    def cost(params: Any, y: Any, *more: Any) -> Any:
        kept = xp.where(y > 0, params["W"][0], params["W"][1, 1:])
        return xp.sum(kept * y * y, axis=0) + more[0] + checkpoint(xp.exp)(params["b"])

    W = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    drawing = draw(cost, {"W": W, "b": 0.0}, labels, 5.0)
    names = [node.name for node in drawing.nodes]
    assert names[:5] == ["params['W']", "params['b']", "more[0]", "getitem[0]", "getitem[1, 1:]"]
    assert "sum(axis=0)" in names
    assert "checkpoint exp" in names
    products = [node for node in drawing.nodes if node.name == "multiply"]
    # An argument that nobody differentiates has its name too, and is one constant for both uses.
    assert products[0].arguments[1] is products[1].arguments[1]
    assert products[0].arguments[1].name == "y"
    assert "#5, y" in str(drawing)


def test_gradients_of_arrays_and_of_what_is_not_used() -> None:
    x = np.asarray([1.0, 2.0, 3.0])
    assert draw(xp.square, x).nodes[-1].gradient is None
    assert "gradient" not in str(draw(xp.square, x))
    seeded = draw(xp.square, x, gradient=np.asarray([1.0, 0.0, 1.0]))
    np.testing.assert_array_equal(seeded.nodes[0].gradient, [2.0, 0.0, 6.0])
    unused = draw(lambda x, y: x * 2.0, 1.0, 4.0)
    assert [float(node.gradient) for node in unused.nodes] == [2.0, 0.0, 1.0]
    only = draw(lambda x: x, 2.0)
    assert [node.name for node in only.nodes] == ["x"]


def test_derivatives_can_be_drawn() -> None:
    drawing = draw(grad(lambda x: x**3), 2.0)
    assert float(drawing.nodes[-1].value) == 12.0
    assert float(drawing.nodes[0].gradient) == 12.0  # 6 x


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0, "0"),
        (np.float32(1e-9), "1e-09"),
        (np.asarray([[1.0, 2.0]]), "[[1, 2]]"),
        (np.full((5, 2), 0.5), "(5, 2) all 0.5"),
        (np.arange(10.0), "(10,) 0 to 9"),
        (np.asarray([np.nan] * 5), "(5,) all nan"),
        (np.arange(6) > 3, "(6,) 2 true"),
        (np.ones(9) * 1j, "(9,) complex128"),
        (np.zeros((0, 3)), "(0, 3) empty"),
        (True, "True"),
        (None, "None"),
    ],
)
def test_values_in_few_characters(value: Any, text: str) -> None:
    assert shown(value) == text


def test_ranks_and_rows() -> None:
    # 0 and 1 are given; 2 from both; 3 from 2; 4 from 0 and 3: an arrow over two layers.
    arguments = [(), (), (0, 1), (2,), (0, 3)]
    assert ranks(arguments) == [0, 0, 1, 2, 3]
    layout = layered(arguments, [4.0] * 5, [2.0] * 5, gap=1.0, space=0.5)
    assert [x for x, _ in layout.centres] == [2.0, 2.0, 7.0, 12.0, 17.0]
    # Two points in each of the four layers.
    assert len(layout.routes[0, 4]) == 8
    assert layout.routes[0, 4][0] == (4.0, layout.centres[0][1])
    assert layout.routes[0, 4][-1] == (15.0, layout.centres[4][1])


def crossed(layout: Layout) -> int:
    """Arrows between neighbouring layers that change sides."""
    pairs = itertools.combinations(layout.routes.values(), 2)
    return sum((a[0][1] - b[0][1]) * (a[-1][1] - b[-1][1]) < 0 for a, b in pairs)


def test_crossings_are_undone() -> None:
    # Each of four leaves has a function of its own, made in the opposite order.
    arguments = [(), (), (), (), (3,), (2,), (1,), (0,)]
    layout = layered(arguments, [1.0] * 8, [1.0] * 8)
    assert crossed(layout) == 0
    straight = [layout.centres[k][1] == layout.centres[7 - k][1] for k in range(4)]
    assert straight == [True] * 4


def test_boxes_and_arrows_keep_apart() -> None:
    rng = np.random.default_rng(5)
    arguments: list[tuple[int, ...]] = [(), ()]
    for k in range(2, 40):
        arguments.append(tuple(int(i) for i in rng.integers(0, k, size=2)))
    rank = ranks(arguments)
    layout = layered(arguments, [3.0] * 40, [2.0] * 40, gap=1.0, space=0.5)
    for r in range(max(rank) + 1):
        row = sorted(y for (_, y), own in zip(layout.centres, rank, strict=True) if own == r)
        assert all(b - a >= 2.5 - 1e-9 for a, b in itertools.pairwise(row))
    # No arrow runs through a box on its way.
    inner = [point for route in layout.routes.values() for point in route[2:-2]]
    assert inner
    for x, y in inner:
        assert not any(abs(x - u) <= 1.5 and abs(y - v) < 1.0 for u, v in layout.centres)


def test_the_picture_has_each_box_and_arrow() -> None:
    axes = draw(lambda x: x * x - 2.0 * x, 3.0).plot()
    found = gids(axes)
    assert sorted(found) == sorted(
        ["x | value 3 | gradient 4", "multiply | value 9 | gradient 1", "2",
         "multiply | value 6 | gradient -1", "subtract | value 3 | gradient 1", *["arrow"] * 6]
    )  # fmt: skip
    given = figure.Figure().subplots()
    assert draw(polynomial, 2.0, 3.0).plot(given) is given
    assert gids(given).count("arrow") == 6


def test_text_stays_in_its_box() -> None:
    axes = draw(xp.exp, np.asarray([1.0, 2.0])).plot()
    frames = [p for p in axes.patches if p.get_gid() and p.get_gid() != "arrow"]
    boxes = [frame.get_window_extent() for frame in frames]
    assert len(boxes) == 2
    texts = [p for p in axes.patches if p.get_zorder() == 4 and p.get_gid() is None]
    assert len(texts) == 4
    for text in texts:
        inside = text.get_window_extent()
        assert any(b.x0 <= inside.x0 and inside.x1 <= b.x1 and b.y0 <= inside.y0
                   and inside.y1 <= b.y1 for b in boxes)  # fmt: skip


def test_files(tmp_path: Path) -> None:
    drawing = draw(polynomial, 2.0, 3.0, path=tmp_path / "graph.svg")
    text = (tmp_path / "graph.svg").read_text("utf-8")
    assert 'id="add | value 10 | gradient 1"' in text
    drawing.save(tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text("utf-8") == text
    drawing.save(str(tmp_path / "graph.PNG"))
    assert (tmp_path / "graph.PNG").read_bytes().startswith(b"\x89PNG")
    for name, what in (("graph.gif", "is .gif"), ("graph", "is missing")):
        with pytest.raises(ValueError, match=rf"{what}\. It writes \.svg and \.png"):
            drawing.save(tmp_path / name)
    assert len(list(tmp_path.iterdir())) == 3


def test_large_graphs_are_text(tmp_path: Path) -> None:
    drawing = draw(chain, 1.0)
    assert str(drawing).splitlines()[-1].startswith("71 nodes: no picture of more than 60")
    assert str(drawing).count("multiply") == 70
    with pytest.raises(ValueError, match="71 nodes, and draws at most 60"):
        drawing.plot()
    with pytest.raises(ValueError, match="most_nodes=71"):
        draw(chain, 1.0, path=tmp_path / "graph.svg")
    axes = draw(lambda x: x * 1.0, 1.0, most_nodes=2).plot()
    assert len(axes.patches) > 0


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(TypeError, match="returned tuple"):
        draw(lambda x: (x, x), 1.0)
    with pytest.raises(TypeError, match="was not computed from its arguments"):
        draw(lambda x: 3.0, 1.0)
    with pytest.raises(ValueError, match="a gradient of shape"):
        draw(xp.square, np.ones(3), gradient=np.ones(2))
    with pytest.raises(TypeError, match="must be one matplotlib Axes"):
        draw(xp.square, 1.0).plot(ax=3)


def test_without_matplotlib_there_is_text() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from xpfit.core.graph import draw\n"
        "d = draw(lambda x: x * x, 3.0)\n"
        "assert 'multiply' in str(d)\n"
        "try:\n    d.plot()\n"
        "except ModuleNotFoundError as problem:\n    sys.stdout.write(str(problem))\n"
    )
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == 'xpfit.core.graph.draw needs matplotlib: pip install "xpfit[plot]".'
