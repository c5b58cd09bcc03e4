"""The page: its numbers are those of its SQL, it loads nothing, it can be read, and it is the same every time."""

from __future__ import annotations

import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gaelp_sim.analyse.attribute import Request as Attributing
from gaelp_sim.analyse.attribute import attribute
from gaelp_sim.analyse.delays import Request, rates
from gaelp_sim.analyse.economy import BANDS, judged_economy
from gaelp_sim.analyse.import_log import import_log
from gaelp_sim.analyse.life_sums import life_of
from gaelp_sim.analyse.paired import paired
from gaelp_sim.calibrate.mapping import load_mapping
from gaelp_sim.cli.main import exit_code
from gaelp_sim.errors import UsageError
from gaelp_sim.report import words
from gaelp_sim.report.facts import Facts, facts_of, with_economy
from gaelp_sim.report.money import money_of
from gaelp_sim.report.palette import DARK, LIGHT, contrast
from gaelp_sim.report.report import BYTES_MAX, report_html
from gaelp_sim.report.style import STYLE, content_policy
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.store.console import run_query
from gaelp_sim.store.named_queries import parse_parameters
from gaelp_sim.world.request import Progress
from gaelp_sim.world.simulate import RunRequest, run
from gaelp_sim.world.stored_scenario import stored_scenario
from tests.unit.report.conftest import Stored


class _Page(HTMLParser):
    """What a browser would see: tags with attributes, text, and the text of each <pre>."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.pres, self.open = "", [], []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "path", "rect", "br", "i"):
            self.open.append(tag)
        if tag == "pre":
            self.pres.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text += data
        if "pre" in self.open:
            self.pres[-1] += data


@pytest.fixture(scope="module")
def facts(stored: Stored) -> Facts:
    """The run in which many buy."""
    return facts_of(stored.url, stored.busy)


@pytest.fixture(scope="module")
def page(facts: Facts) -> _Page:
    """Its page."""
    return _Page(report_html(facts))


def test_the_page_loads_nothing(facts: Facts) -> None:
    """No script, no address of anywhere, no style that its policy does not allow."""
    text = report_html(facts)
    assert f'content="{content_policy()}"' in text and content_policy().startswith("default-src 'none'; style-src 'sha256-")
    assert f"<style>{STYLE}</style>" in text
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|<img|<iframe|<object|\bon[a-z]+=|style=", text)
    kinds = {tag for tag, _ in _Page(text).tags}
    assert not kinds & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    names = {name for _, attributes in _Page(text).tags for name in attributes}
    assert not [name for name in names if name.startswith("on") or name in ("href", "src", "style")]


def test_every_sql_gives_the_rows_that_the_page_was_written_from(facts: Facts, page: _Page, stored: Stored) -> None:
    """Each folded text is pasted into a shell's words and asked: the answer is the page's own."""
    asked = [text for text in page.pres if text.startswith("gaelp query")]
    written = {
        (_words(one.query.sql), tuple(sorted({**one.query.defaults, **one.parameters}.items()))): one.rows
        for one in (*facts.answers.values(), *(moments for _, moments in facts.stories))
    }
    seen = set()
    for text in asked:
        command = shlex.split(text)
        assert command[:2] == ["gaelp", "query"] and command[3:5] == ["--run", stored.busy] and "$" not in text
        given = parse_parameters(command[6::2])
        told = run_query(stored.url, command[2], run=stored.busy, parameters=given, limit=100_000)
        key = (_words(command[2]), tuple(sorted(given.items())))
        assert told.rows == [tuple(row.values()) for row in written[key]], command[2]
        seen.add(key)
    assert seen == set(written), "each answer has its SQL on the page"


def _words(sql: str) -> str:
    return " ".join(sql.split())


def test_headline_figures_are_the_runs_own(facts: Facts, page: _Page, stored: Stored) -> None:
    """Spend, sales, CACs and profit as the ledger tells them, and as paired comparison reckons them."""
    money = money_of(facts.rows("report_money")[0])
    with Store.open(stored.url) as store:
        run = store.find_run(stored.busy)
        life = life_of(store, run, run.worlds)
    figures = {one.figure: one for one in paired(life, life).figures}
    for name, known in (
        ("profit_usd", money.profit),
        ("cac_blended_usd", money.cac_blended),
        ("roas", money.roas),
        ("cac_paid_usd", money.cac_paid),
        ("conversions", money.sales_drawn),
    ):
        assert known.value == pytest.approx(figures[name].stored), name
    (ledger,) = run_query(stored.url, "SELECT SUM(amount_usd), COUNT(*) FROM charges", run=stored.busy).rows
    assert money.spend == pytest.approx(ledger[0])
    assert money.sales > 20 and money.profit.low is not None
    for told in (words.usd(money.profit.value), words.usd(money.cac_blended.value), words.times(money.roas.value)):
        assert told in page.text
    answers = dict.fromkeys(
        (
            "Did we make money?",
            "What did a customer cost (CAC)?",
            "Which channel really caused sales?",
            "What is still due?",
        )
    )
    assert all(question in page.text for question in answers)


def test_intervals_are_those_of_a_plain_count(facts: Facts, stored: Stored) -> None:
    """Profit's and CAC's intervals, from one row a home asked for in SQL."""
    sql = (  # the homes themselves, not their sums
        "SELECT p.world_id, p.household_id, SUM(j.cost_usd), SUM(CASE WHEN c.ours = 1 THEN c.value_usd ELSE 0 END), "
        "SUM(CASE WHEN c.ours = 1 THEN 1 ELSE 0 END) FROM people AS p "
        "LEFT JOIN (SELECT world_id, person_id, SUM(amount_usd) AS cost_usd FROM charges GROUP BY 1, 2) AS j "
        "ON j.world_id = p.world_id AND j.person_id = p.person_id "
        "LEFT JOIN conversions AS c ON c.world_id = p.world_id AND c.person_id = p.person_id GROUP BY 1, 2"
    )
    homes = run_query(stored.url, sql, run=stored.busy, limit=100_000).rows
    n = len(homes)
    net = [float(row[3] or 0) - float(row[2] or 0) for row in homes]
    mean = sum(net) / n
    half = 1.959964 * (n * sum((one - mean) ** 2 for one in net) / (n - 1)) ** 0.5
    money = money_of(facts.rows("report_money")[0])
    assert money.clusters == n
    assert money.profit.high is not None and money.profit.value is not None
    assert money.profit.high - money.profit.value == pytest.approx(half, rel=1e-6)
    cac = sum(float(row[2] or 0) for row in homes) / sum(row[4] for row in homes)
    rest = [float(row[2] or 0) - cac * row[4] for row in homes]
    half = 1.959964 * (n * sum(one**2 for one in rest) / (n - 1)) ** 0.5 / sum(row[4] for row in homes)
    assert money.cac_blended.high is not None and money.cac_blended.high - cac == pytest.approx(half, rel=1e-6)


def test_the_page_is_the_same_every_time(facts: Facts, stored: Stored) -> None:
    """Read and written again, byte for byte."""
    assert report_html(facts_of(stored.url, stored.busy)) == report_html(facts)


def test_a_run_without_sales_of_ours_has_a_page(stored: Stored) -> None:
    """Nothing is divided by nothing; what is missing is said, with the command that works it out."""
    told = facts_of(stored.url, stored.small)
    text = _Page(report_html(told)).text
    assert f"gaelp attribute {stored.small} --model all" in text
    assert f"gaelp incrementality {stored.small} --by channel" in text
    assert "not measured" in text and "Not judged" in text
    assert not re.search(r"(?<![A-Za-z])(nan|inf|None)(?![a-z])", text)


def test_the_economy_is_there_when_it_is_asked_for(facts: Facts, stored: Stored) -> None:
    """Else a line says how; its figures are those of `gaelp verify realism`, and the page comes out the same again."""
    asking = f"gaelp report {stored.busy} --economy"
    assert asking in _Page(report_html(facts)).text
    shares: list[float] = []
    told = with_economy(facts, shares.append)
    text = report_html(told)
    with Store.open(stored.url) as store:
        found = judged_economy(stored_scenario(store.find_run(stored.busy)))
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) == 7
    for check in found.checks:
        assert check.quantity in _Page(text).text and f"{check.got:.4g}" in text and check.note in _Page(text).text
    assert len(found.checks) == len(BANDS) and asking not in text and len(text.encode()) < BYTES_MAX
    assert report_html(with_economy(facts, shares.append)) == text
    small = report_html(with_economy(facts_of(stored.url, stored.small), shares.append))
    assert "The run itself was not judged" in small and "of 4 figures lie in their band" in small


def test_the_economy_from_the_command_line(stored: Stored, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    assert exit_code(["report", stored.small, "--economy", "--out", str(out), "--db", stored.url]) == 0
    assert "over that without ads" in out.read_text(encoding="utf-8")
    capsys.readouterr()
    assert exit_code(["report", stored.small, stored.busy, "--economy", "--db", stored.url]) == 2
    assert "--economy goes with one run" in capsys.readouterr().err


def test_names_are_escaped_wherever_they_come_from(facts: Facts) -> None:
    """A label, a policy and a channel that try to be markup stay text."""
    from dataclasses import replace

    evil = '<script>alert(1)</script>"&'
    rows = [{**row, "channel": evil} for row in facts.rows("report_channels")]
    answers = {**facts.answers, "report_channels": replace(facts.answers["report_channels"], rows=rows)}
    text = report_html(replace(facts, run=replace(facts.run, label=evil, policy=evil), answers=answers))
    assert "<script" not in text and "&lt;script&gt;alert(1)" in text
    _Page(text)


def test_the_page_stays_small(facts: Facts, stored: Stored) -> None:
    """Far below the bound, and no larger where there is more of everything: a year, ten times the people, many segments."""
    from dataclasses import replace

    size = len(report_html(facts).encode())
    assert size < BYTES_MAX

    def longer(name: str) -> list[dict[str, object]]:
        rows = facts.rows(name)
        if name in ("report_hours", "report_spend"):
            return [{**rows[0], "hour": hour, "hour_of_day": hour % 24} for hour in range(365 * 24)] if rows else rows
        if rows and "day" in rows[0]:
            kept = [row for row in rows if row["day"] == rows[0]["day"]]
            return [{**row, "day": day} for row in kept for day in range(365)]
        return [
            {
                key: value * 1000
                if isinstance(value, int) and key in ("sales", "wins", "impressions", "clicks", "people", "spend_micros")
                else value
                for key, value in row.items()
            }
            for row in rows
        ]

    answers = {name: replace(one, rows=longer(name)) for name, one in facts.answers.items()}
    run = replace(facts.run, hours_done=365 * 24, end_hour=365 * 24, days=365)
    assert len(report_html(replace(facts, run=run, answers=answers)).encode()) < min(1.2 * size, BYTES_MAX)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_on_what_lies_behind_it(colours: dict[str, str]) -> None:
    """Each colour of text and of series, on both grounds: 4.5 or more."""
    for behind in ("ground", "card"):
        for name, colour in colours.items():
            if name not in ("ground", "card", "rule"):
                assert contrast(colour, colours[behind]) >= 4.5, (name, behind)


def test_the_command_writes_a_file(stored: Stored, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--out`, and one line for a file that can't be written."""
    out = tmp_path / "page.html"
    assert exit_code(["report", stored.busy, "--db", stored.url, "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    capsys.readouterr()
    assert exit_code(["report", stored.busy, "--db", stored.url, "--out", str(tmp_path / "no" / "x.html")]) == 73
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1 and "next:" in told.err


def test_a_run_that_goes_on_has_no_page(tmp_path: Path) -> None:
    """Its people are not stored yet, so that every sum by person would be nothing: one line says what to do instead."""
    url = f"sqlite:///{tmp_path}/going.db"
    told: list[str] = []

    def look(_: Progress) -> None:
        if not told:
            with pytest.raises(UsageError) as failure:
                facts_of(url, "@last")
            told.append(str(failure.value))

    run(RunRequest(load_scenario("short", ["population.people=40", "days=3"]), url), look)
    assert "is RUNNING" in told[0] and "gaelp watch" in told[0] and "gaelp resume" in told[0]


def test_an_imported_log_has_a_page(tmp_path: Path) -> None:
    """No auctions, no click, no rival, odd names: what a log does not tell is said or left out."""
    path, url = tmp_path / "paths.csv", f"sqlite:///{tmp_path}/log.db"
    path.write_text(
        "path,total_conversions,total_conversion_value,total_null\n"
        'search > social > search,12,1200,300\nsocial,3,300,900\n"<b odd & co > search",2,100,5\n'
    )
    with Store.open(url) as store:
        imported = import_log(store, path, load_mapping("paths"), "", lambda _: None)
        attribute(store, imported.run, [Attributing("linear")])
    facts = facts_of(url, imported.run.run_id)
    text = report_html(facts)
    page = _Page(text)
    assert "<b odd" not in text and "<b odd & co" in page.text
    assert money_of(facts.rows("report_money")[0]).sales == 17 and facts.expected is None
    assert "A log can't tell" in page.text and "gaelp incrementality" not in page.text and "?)" not in page.text
    assert "gaelp import FILE --mapping paths" in page.text and "gaelp replay" not in page.text
    with Store.open(url) as store, pytest.raises(UsageError, match="no click of ours"):
        rates(store, imported.run, Request(facts.end_s))


def test_sales_expected_are_those_reported_and_those_still_to_come(facts: Facts, stored: Stored) -> None:
    """The mixture of `gaelp delays` on all clicks, less what is known of them, on top of every report; never fewer."""
    assert facts.expected is not None
    with Store.open(stored.url) as store:
        (whole,) = [
            one
            for one in rates(store, store.find_run(stored.busy), Request(facts.end_s, models=("mixture",)))
            if one.group == "all"
        ]
    money = money_of(facts.rows("report_money")[0])
    found = facts.expected.in_the_end(money.reported_sales)
    assert found.value == pytest.approx(money.reported_sales + whole.cvr * whole.clicks - whole.sales_known)
    assert found.low is not None and found.low >= money.reported_sales
    assert found.high == pytest.approx(money.reported_sales + whole.high * whole.clicks - whole.sales_known)
