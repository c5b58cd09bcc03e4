"""What a browser makes of the pages: Chromium, wide and narrow, light and dark. `make look` runs it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gaelp_sim.analyse.attribute import Request as Attributing
from gaelp_sim.analyse.attribute import attribute
from gaelp_sim.analyse.incrementality import Request as Withholding
from gaelp_sim.analyse.incrementality import incrementality
from gaelp_sim.report.beside import beside_of
from gaelp_sim.report.comparison import comparison_html
from gaelp_sim.report.report import report_html
from gaelp_sim.report.style import content_policy
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.world.simulate import RunRequest, run

pytestmark = pytest.mark.look
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MEASURING = (Path(__file__).parent / "measuring.js").read_text(encoding="utf-8")
WIDTHS = (1280, 390)
SCHEMES = {"light": 1, "dark": 0}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A run with everything worked out, one with nothing in it, one with learning rivals, and all beside each other."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here; next: apt-get install chromium")
    url = f"sqlite:///{tmp_path_factory.mktemp('look')}/gaelp.db"
    busy = ["population.people=2000", "days=14", "response.brand_base=-0.5"]
    runs = [
        run(RunRequest(load_scenario(name, sets), url, policy=policy, label=label)).run_id
        for name, sets, policy, label in (
            ("parental_controls", busy, "rule", ""),
            ("parental_controls", [*busy, "us.policy.bid_multiplier=1.5"], "rule", "bids half as much again"),
            ("short", ["population.people=40", "days=3"], "rule", "hardly anybody"),
        )
    ]
    with Store.open(url) as store:
        record = store.find_run(runs[0])
        attribute(store, record, [Attributing(model) for model in ("last", "first", "linear", "markov", "shapley")])
        incrementality(store, record, Withholding("channel"), lambda _: None)
    first, others = beside_of(url, runs)
    return {
        "everything": report_html(first), "nothing": report_html(others[1].facts),
        "side by side": comparison_html(first, others),
    }


def _browser(page: Path, width: int, scheme: str, *more: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    return subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--v=0",
         f"--window-size={width},2000", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", *more, f"file://{page}"],
        capture_output=True, text=True, timeout=120, check=True,
    )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["everything", "nothing", "side by side"])
def test_nothing_is_cut_off_or_lies_over_something(
    name: str, width: int, scheme: str, pages: dict[str, str], tmp_path: Path
) -> None:
    """Boxes of all texts and pictures, and contrast as the browser paints it; the copy measured may run our script."""
    copy = tmp_path / "copy.html"
    text = pages[name].replace(html.escape(content_policy(), quote=False), "").replace(content_policy(), "")
    framed = html.escape(text.replace("</body>", f"<script>{MEASURING}</script></body>"))
    # A window is never narrower than 500; a frame is.
    copy.write_text(f'<iframe width="{width}" height="3000" frameborder="0" srcdoc="{framed}"></iframe>', encoding="utf-8")
    dom = _browser(copy, 1600, scheme, "--dump-dom").stdout
    match = re.search(r"<title>(\{.*?\})</title>", dom)
    assert match, "the page was not measured"
    told = json.loads(html.unescape(match[1]))
    assert told["wide"] == width and told["texts"] > 50
    assert not told["found"], "\n".join(told["found"][:20])
    assert told["least"] >= 4.5


@pytest.mark.parametrize("name", ["everything", "side by side"])
def test_the_browser_accepts_the_page_as_it_is(name: str, pages: dict[str, str], tmp_path: Path) -> None:
    """Its policy allows its own style sheet: nothing is refused."""
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    page.write_text(pages[name], encoding="utf-8")
    done = _browser(page, 1280, "dark", f"--screenshot={picture}")
    assert picture.stat().st_size > 20_000
    assert "Content Security Policy" not in done.stderr, done.stderr
    broken = tmp_path / "broken.html"
    broken.write_text(pages[name].replace("<style>", "<style>p{color:red}"), encoding="utf-8")
    told = _browser(broken, 1280, "dark", f"--screenshot={picture}").stderr
    assert "Content Security Policy" in told, "a style sheet that was tampered with is refused"
