"""Names in plots cover neither points nor each other."""

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from l2l.report.labels import Label, place_labels

# (GMACs, top-1, name): methods whose points lie close together
CLOSE = [
    (0.049, 34.8, "Random"),
    (0.049, 38.1, "Uniform"),
    (0.049, 21.3, "Front"),
    (0.049, 25.6, "End"),
    (0.305, 58.8, "SCSampler"),
    (0.327, 59.4, "LSTM"),
    (0.304, 69.4, "Non-Recurrent"),
    (0.309, 71.9, "Ours (dense)"),
    (0.307, 76.3, "One look (dense)"),
]


def drawn(points, legend=False):
    """The boxes of the names, of the dots and of the axes, in pixels, as they are drawn."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for x, y, _ in points:
        axes.scatter(x, y, s=36, label="dots")
    axes.set_xscale("log")
    axes.margins(x=0.2, y=0.15)
    if legend:
        axes.legend(loc="upper left")
    place_labels(axes, [Label(*point, "#000000") for point in points])
    figure.draw_without_rendering()
    # an annotation's own box has the line to its dot, too
    names = [Text.get_window_extent(each) for each in axes.texts]
    half = 3 * figure.dpi / 72  # of a dot of 36 square points
    middles = axes.transData.transform([point[:2] for point in points])
    dots = [Bbox.from_extents(x - half, y - half, x + half, y + half) for x, y in middles]
    assert [each.get_text() for each in axes.texts] == [name for *_, name in sorted(points)]
    return axes, names, dots


def check(axes, names, dots):
    for name, dot in itertools.product(names, dots):
        assert not name.overlaps(dot)
    for name, other in itertools.combinations(names, 2):
        assert not name.overlaps(other)
    for name in names:
        assert axes.bbox.containsx(name.x0)
        assert axes.bbox.containsx(name.x1)
        assert axes.bbox.containsy(name.y0)
        assert axes.bbox.containsy(name.y1)


def test_names_of_close_points_are_inside_the_axes_and_cover_nothing():
    check(*drawn(CLOSE))


@pytest.mark.parametrize("seed", range(4))
def test_names_of_any_points_cover_nothing(seed):
    rng = np.random.default_rng(seed)
    x, y = 10 ** rng.uniform(-2, 1, 12), rng.uniform(0, 100, 12)
    check(*drawn([(*point, f"method {i}") for i, point in enumerate(zip(x, y, strict=True))]))


def test_a_name_does_not_lie_on_the_legend():
    points = [(1.0, 0.0, "right"), (0.1, 9.5, "behind the legend"), (10.0, 10.0, "far")]
    axes, names, dots = drawn(points, legend=True)
    check(axes, names, dots)
    legend = axes.get_legend().get_window_extent()
    assert not any(name.overlaps(legend) for name in names)


def test_points_at_one_place_all_have_their_names():
    _, names, _ = drawn([(1.0, 50.0, f"method {i}") for i in range(10)])
    for name, other in itertools.combinations(names, 2):
        assert not name.overlaps(other)
