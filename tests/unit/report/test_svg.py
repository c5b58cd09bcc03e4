"""Pictures: everything lies inside, nothing is said that a reader could not read, and all text is escaped."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaelp_sim.report.flow import flow_chart
from gaelp_sim.report.svg import WIDTH, Axis, Bar, Line, Node, bar_chart, line_chart, row_chart, spark, text_width, ticks

HOSTILE = '<script>alert("1")</script>&'
NUMBER = r"-?\d+(?:\.\d+)?"


def _tree(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)


def _assert_inside(picture: str) -> None:
    """Every block and every text's anchor lies within the view box."""
    tree = _tree(picture)
    wide, high = (float(one) for one in tree.attrib["viewBox"].split()[2:])
    for element in tree.iter():
        for name, limit in (("x", wide), ("y", high)):
            if name in element.attrib:
                size = float(element.attrib.get("width" if name == "x" else "height", 0))
                place = float(element.attrib[name])
                assert -0.1 <= place and place + size <= limit + 0.1, element.attrib
    for path in tree.iter("path"):
        for x, y in re.findall(rf"[ML]({NUMBER}) ({NUMBER})", path.attrib["d"]):
            assert 0 <= float(x) <= wide and 0 <= float(y) <= high, path.attrib["d"]


def test_ticks_are_round_and_few() -> None:
    """From 0 to 1, from -3.5 to 72, of nothing, and of very little."""
    assert ticks(0, 1) == pytest.approx([0, 0.25, 0.5, 0.75, 1]) or ticks(0, 1) == pytest.approx([0, 0.5, 1])
    assert ticks(-3.5, 72) == [0, 20, 40, 60]
    assert ticks(5, 5) == [5]
    assert len(ticks(0, 1e-7)) <= 5


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 9))
@settings(max_examples=200, deadline=None)
def test_ticks_lie_inside(low: float, span: float, most: int) -> None:
    """Whatever the axis, its numbers lie on it and there are not too many."""
    if span < 1e-9 * abs(low):
        return
    found = ticks(low, low + span, most)
    assert len(found) <= most
    assert all(low - 1e-6 * span <= one <= low + span * (1 + 1e-6) for one in found)


def test_lines_are_drawn_to_scale() -> None:
    """The first and the last point of a line stand in the corners of the axes."""
    picture = line_chart("t", [Line("one", [(0, 0), (10, 5)])], Axis(0, 10, "x", str), Axis(0, 5, "y", str))
    (path,) = [one.attrib["d"] for one in _tree(picture).iter("path") if one.attrib["class"].startswith("l ")]
    (x, y), (x2, y2) = re.findall(rf"({NUMBER}) ({NUMBER})", path)
    assert float(x) < float(x2) and float(y) > float(y2)
    assert (float(x2), float(y2)) == (WIDTH - 12, 12)
    _assert_inside(picture)


@pytest.mark.parametrize("high", [5.0, 999.0, 12_000.0, 8_500_000.0])
def test_numbers_of_an_axis_have_room(high: float) -> None:
    """However long they are, they begin inside, as wide as a wide font draws them, and the picture right of them."""
    picture = line_chart(
        "t", [Line("a", [(0, 0), (1, high)])], Axis(0, 1, "x", str), Axis(0, high, "", lambda v: f"${v:,.0f}")
    )
    texts = [one for one in _tree(picture).iter("text") if one.attrib["text-anchor"] == "end"]
    assert texts and all(float(one.attrib["x"]) - text_width(one.text or "") >= 0 for one in texts)
    _assert_inside(picture)


def test_bars_stand_on_the_axis_and_intervals_show() -> None:
    """A bar twice as high is drawn twice as high; one with an interval has its mark."""
    bars = [Bar("a", 1), Bar("b", 2, 1.5, 2.5)]
    picture = bar_chart("t", bars, "x", Axis(0, 3, "", str))
    heights = [float(one.attrib["height"]) for one in _tree(picture).iter("rect")]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)
    assert sum(one.attrib["class"] == "e" for one in _tree(picture).iter("path")) == 1
    _assert_inside(picture)


def test_rows_show_what_is_below_nothing() -> None:
    """A negative end of an interval lies left of nothing, inside the picture; an end beyond the axis is cut."""
    picture = row_chart("t", [Bar("search", 5, -2, 12), Bar("social", -1)], Axis(-3, 10, "sales", str))
    _assert_inside(picture)
    rects = list(_tree(picture).iter("rect"))
    assert float(rects[1].attrib["x"]) + float(rects[1].attrib["width"]) == pytest.approx(
        float(rects[0].attrib["x"]), abs=0.2
    )


@pytest.mark.parametrize(
    "picture",
    [
        line_chart(HOSTILE, [Line(HOSTILE, [(0, 1), (1, 2)])], Axis(0, 1, HOSTILE, str), Axis(0, 2, HOSTILE, str)),
        bar_chart(HOSTILE, [Bar(HOSTILE, 1, told=HOSTILE)], HOSTILE, Axis(0, 1, "", str)),
        row_chart(HOSTILE, [Bar(HOSTILE, 1)], Axis(0, 1, HOSTILE, str)),
        spark(HOSTILE, [(0, 1), (1, 2)]),
        flow_chart(HOSTILE, [[Node(HOSTILE)], [Node("b")]], {(0, HOSTILE, "b"): 2.0}),
    ],
)
def test_names_cannot_become_markup(picture: str) -> None:
    """Titles, labels and tooltips are escaped."""
    assert "<script" not in picture
    assert _tree(picture).find("script") is None


def test_flows_keep_their_sum() -> None:
    """Bands that leave a block are together as high as the block, and so are those that reach one."""
    flows = {(0, "a", "x"): 30.0, (0, "a", "y"): 10.0, (0, "b", "y"): 60.0, (1, "x", "p"): 30.0, (1, "y", "p"): 70.0}
    columns = [[Node("a"), Node("b")], [Node("x"), Node("y")], [Node("p"), Node("never")]]
    tree = _tree(flow_chart("t", columns, flows))
    blocks = [float(one.attrib["height"]) for one in tree.iter("rect")]
    bands = [float(re.findall(rf"v({NUMBER})", one.attrib["d"])[0]) for one in tree.iter("path")]
    assert len(blocks) == 5, "a block of nothing is left out"
    assert blocks[0] == pytest.approx(bands[0] + bands[1], abs=0.3)
    assert blocks[0] / blocks[1] == pytest.approx(40 / 60, abs=0.02)
    assert blocks[4] == pytest.approx(sum(bands[3:]), abs=0.3)


@given(st.lists(st.integers(0, 5000), min_size=2, max_size=8), st.lists(st.integers(0, 5000), min_size=2, max_size=8))
@settings(max_examples=100, deadline=None)
def test_flow_labels_never_touch(left: list[int], right: list[int]) -> None:
    """However uneven the blocks, labels of a column stand a line apart and inside."""
    flows = {(0, f"l{i}", f"r{j}"): float(one * other) for i, one in enumerate(left) for j, other in enumerate(right)}
    picture = flow_chart(
        "t", [[Node(f"l{i}") for i in range(len(left))], [Node(f"r{j}") for j in range(len(right))]], flows
    )
    if not picture:
        assert not any(flows.values())
        return
    _assert_inside(picture)
    for anchor in ("end", "start"):
        places = sorted(
            float(one.attrib["y"]) for one in _tree(picture).iter("text") if one.attrib["text-anchor"] == anchor
        )
        assert all(later - earlier >= 13.5 for earlier, later in zip(places, places[1:], strict=False)), places
