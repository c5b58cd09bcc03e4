"""Journeys: how far they came, what led to sales, how long that took, and what is still due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from gaelp_sim.report import page
from gaelp_sim.report.facts import Facts
from gaelp_sim.report.flow import flow_chart
from gaelp_sim.report.svg import Axis, Bar, Node, bar_chart
from gaelp_sim.report.words import count, plural, spoken
from gaelp_sim.store.answers import Row

NO_STAGE = "not told"
STAGES = (NO_STAGE, "unaware", "aware", "considering", "intent", "bought")
OPEN, GIVEN_UP, RIVALS, OURS = "still open", "given up", "rivals sold", "we sold"
ENDS = (Node(OPEN, 6), Node(GIVEN_UP, 1), Node(RIVALS, 4), Node(OURS, 2))
NO_TOUCH = "no touch"
NODES = 7
"""A column of a flow picture has no more blocks than this; what is rarer is called `others`"""


def journeys(facts: Facts) -> Markup:
    """Two flow pictures: everybody's journeys, and those that ended with a sale of ours on a scale of their own."""
    return page.section(
        "journeys",
        "Journeys",
        page.say(_told(facts)),
        page.pair(
            page.panel("All journeys: segment, stage at the end, outcome", _everybody(facts)),
            page.panel(
                "Our sales: channel of our first touch, and of our last",
                _buyers(facts),
                page.say("A scale of their own: beside all journeys they would be a hair's breadth.", "muted"),
            ),
        ),
        page.asked_again(facts.run.run_id, facts.answers["report_stages"], facts.answers["report_paths"]),
    )


def ending(row: Row, us: str) -> str:
    """How the journeys of a row of report_stages ended: the name of one of ENDS."""
    if row["status"] == "CONVERTED":
        return OURS if row["converted_advertiser"] == us else RIVALS
    return GIVEN_UP if row["status"] == "LOST" else OPEN


def _stage(row: Row) -> str:
    if row["status"] == "CONVERTED" or row["stage"] == "CONVERTED":
        return "bought"
    return NO_STAGE if row["stage"] is None else str(row["stage"]).lower()


def _told(facts: Facts) -> str:
    ends: Counter[str] = Counter()
    for row in facts.rows("report_stages"):
        ends[ending(row, facts.us)] += int(row["journeys"])
    listed = "; ".join(f"{node.name} {ends[node.name]:,}" for node in ENDS)
    return (
        f"{plural(ends.total(), 'journey')}: {listed}. A sale that is decided but not paid leaves its journey open; "
        "a journey "
        "that is given up may still end with a sale, later."
    )


def _everybody(facts: Facts) -> Markup:
    rows = facts.rows("report_stages")
    segments = _foremost(Counter({str(row["segment"]): 0 for row in rows}) + _counted(rows, "segment"))
    flows: Counter[tuple[int, str, str]] = Counter()
    for row in rows:
        segment, stage = _kept(spoken(row["segment"]), segments), _stage(row)
        flows[0, segment, stage] += int(row["journeys"])
        flows[1, stage, ending(row, facts.us)] += int(row["journeys"])
    columns = [[Node(name, number % 6) for number, name in enumerate(segments)], [Node(name, 6) for name in STAGES], ENDS]
    return flow_chart("Journeys from segment over stage to outcome", columns, flows)


def _counted(rows: Sequence[Row], name: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in rows:
        found[spoken(row[name])] += int(row["journeys"])
    return found


def _foremost(counted: Counter[str]) -> list[str]:
    names = [name for name, many in sorted(counted.items(), key=lambda one: (-one[1], one[0])) if many > 0]
    return names if len(names) <= NODES else [*names[: NODES - 1], "others"]


def _kept(name: str, names: Sequence[str]) -> str:
    return name if name in names else "others"


def _buyers(facts: Facts) -> Markup:
    rows = facts.rows("report_paths")
    if not rows:
        return page.say("There was no sale of ours.", "muted")
    ends = []
    for name in ("first_channel", "last_channel"):
        met: Counter[str] = Counter()
        for row in rows:
            met[_channel(row[name])] += int(row["sales"])
        ends.append(_foremost(met))
    flows: Counter[tuple[int, str, str]] = Counter()
    for row in rows:
        first, last = (
            _kept(_channel(row[name]), known) for name, known in zip(("first_channel", "last_channel"), ends, strict=True)
        )
        flows[0, first, last] += int(row["sales"])
    colour = {name: number % 6 for number, name in enumerate(dict.fromkeys([*ends[0], *ends[1]]))}
    columns = [[Node(name, colour[name]) for name in known] for known in ends]
    return flow_chart("Our sales from first to last channel", columns, flows)


def _channel(name: str | None) -> str:
    return NO_TOUCH if name is None else spoken(name)


def durations(facts: Facts) -> Markup:
    """Days and touches before our sales."""
    ours = {int(row["days"]): int(row["sales"]) for row in facts.rows("report_days_to_sale") if row["ours"]}
    theirs = {int(row["days"]): int(row["sales"]) for row in facts.rows("report_days_to_sale") if not row["ours"]}
    touches = {int(row["touches"]): int(row["sales"]) for row in facts.rows("report_touches_to_sale")}
    told = (
        f"Half of our sales were decided within {_median(ours)} days of the first touch of any advertiser "
        + (f"(rivals' sales: {_median(theirs)}), " if theirs else "")
        + f"and after {_median(touches)} touches of ours or fewer."
        if ours and touches
        else "There was no sale of ours to tell from."
    )
    return page.section(
        "durations",
        "Time and touches to a sale",
        page.say(told),
        page.pair(
            _bars("Our sales, by days from first touch to decision", ours, (30, "days")),
            _bars("Our sales, by touches of ours before them", touches, (15, "touches")),
        ),
        page.asked_again(facts.run.run_id, facts.answers["report_days_to_sale"], facts.answers["report_touches_to_sale"]),
    )


def _median(counted: dict[int, int]) -> str:
    """The least number that half of them don't exceed."""
    total, reached = sum(counted.values()), 0
    for number in sorted(counted):
        reached += counted[number]
        if 2 * reached >= total:
            return f"{number:,}"
    return "?"


def _bars(title: str, counted: dict[int, int], upto: tuple[int, str]) -> Markup:
    if not counted:
        return page.NOTHING
    most, name = upto
    bars = [
        Bar(
            f"{number}+" if number == most else str(number),
            counted.get(number, 0),
            told=f"{number}{' or more' if number == most else ''} {name}: {plural(counted.get(number, 0), 'sale')}",
        )
        for number in range(min(most, max(counted)) + 1)
    ]
    y = Axis(0.0, max(max(counted.values()) * 1.08, 2.05), "", count)
    return page.panel(title, bar_chart(title, bars, name, y))


def lags(facts: Facts) -> Markup:
    """From decision to report, and what we still hear of after the run's end."""
    lag = {int(row["days"]): int(row["sales"]) for row in facts.rows("report_lags")}
    later: Counter[int] = Counter()
    known: Counter[str] = Counter()
    for row in facts.rows("report_due"):
        known[str(row["known"])] += int(row["sales"])
        if row["days_after_end"] is not None:
            later[min(int(row["days_after_end"]), 30)] += int(row["sales"])
    told = (
        f"When the run ended, {count(known['1 reported'])} of our sales were reported, "
        f"{count(known['2 purchased'])} paid but "
        f"not yet reported, {count(known['3 decided'])} decided but not yet paid. Ads go on being shown, and "
        "charged, to those "
        "who have decided."
    )
    return page.section(
        "lags",
        "Delays, and what is still due",
        page.say(told),
        page.pair(
            _bars("Our sales, by days from decision to report", lag, (30, "days")),
            _bars("Still due, by days after the run's end", dict(later), (30, "days")),
        ),
        page.say(f"For rates corrected for what is still to come: gaelp delays {facts.run.run_id}", "muted"),
        page.asked_again(facts.run.run_id, facts.answers["report_lags"], facts.answers["report_due"]),
    )
