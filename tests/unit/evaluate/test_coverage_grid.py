"""Grades of estimators: logs in memory are the stored ones, grades are plain counts, campaigns go on where they stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.cli.main import exit_code
from gaelp_sim.cli.schooling import by_cell
from gaelp_sim.errors import UsageError
from gaelp_sim.store import Store
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.simulate import RunRequest, run

pytest.importorskip("torch")

from gaelp_sim.evaluate import coverage_grid as campaign  # noqa: E402 - only where torch is there
from gaelp_sim.evaluate import judged  # noqa: E402
from gaelp_sim.evaluate.coverage_cells import ALL, CHOICE, CHOICES, KINDS, TOLD, Grid, Kind, chosen  # noqa: E402
from gaelp_sim.evaluate.coverage_choices import choices_graded  # noqa: E402
from gaelp_sim.evaluate.coverage_graded import Said, Truth, graded  # noqa: E402
from gaelp_sim.evaluate.coverage_grid import Asked, coverage, print_of  # noqa: E402
from gaelp_sim.evaluate.coverage_logs import STAGES, earned, steps_of, worlds_lived  # noqa: E402
from gaelp_sim.evaluate.run_log import read_log  # noqa: E402
from gaelp_sim.evaluate.targets import chances  # noqa: E402
from gaelp_sim.events import FEATURE_COUNT  # noqa: E402
from gaelp_sim.planning.seeds import GRID_LOGS_SEED, GRID_TRUTH_SEED  # noqa: E402

LATE = Kind("late", 4, ("conversion.report_delay_max_hours=96",), late=True)
SMALL = Grid(kinds=(Kind("slack", 3), LATE), people=(150, 300), truth_worlds=3)
FEW = ("snips", "pdis")


def quiet(step: str) -> None:
    """Say nothing."""


def test_a_log_in_memory_is_the_stored_one(tmp_path: Path) -> None:
    """The same decisions, rewards and prices, row by row, also of the second of two worlds side by side."""
    scenario, url = LATE.scenario(300).model_copy(update={"worlds": 2}), f"sqlite:///{tmp_path / 'runs.db'}"
    run(RunRequest(scenario, url, seed=9))
    with Store.open(url) as store:
        stored = read_log(store, store.find_run("@last")).logged
    worlds = list(worlds_lived(LATE.scenario(300), 9, range(2)))
    mine = [world.log(300, late=True).logged for world in worlds]
    for name in ("second", "channel", "signal", "bid_micros", "price_micros", "propensity", "reward_usd", "days", "person"):
        together = np.concatenate([getattr(one, name) for one in mine])
        assert np.array_equal(together, getattr(stored, name)), name
    seen = np.concatenate([one.observation for one in mine])[:, :FEATURE_COUNT]
    assert np.array_equal(seen, stored.observation) and len(mine[0].begins) + len(mine[1].begins) == len(stored.begins) + 1
    known = [earned(world, 300)[0] for world in worlds]
    assert sum(known) > stored.reward_usd.sum(), "some sale was reported late"


def test_smaller_logs_are_people_of_larger_ones_and_the_truth_is_beside_them() -> None:
    kind = Kind("slack", 4)
    world = next(worlds_lived(kind.scenario(300), 9, range(1)))
    large, small = world.log(300, late=False), world.log(100, late=False)
    assert set(small.logged.person) < set(large.logged.person) and (small.logged.person & 0xFFFFFFFF).max() < 100
    theirs = np.isin(large.logged.person, small.logged.person)
    assert np.array_equal(small.logged.observation, large.logged.observation[theirs])
    target = chances(large, "rule", kind.scenario(300, SMALL.targets[1]))
    told, slopes = steps_of(large, target, everything=False)
    everything, more = steps_of(large, target, everything=True)
    truly = everything.features[:, told.features.shape[1] :]
    assert np.array_equal(everything.features[:, : told.features.shape[1]], told.features)
    assert (truly[:, :STAGES].sum(axis=1) == 1.0).all() and truly.shape[1] == STAGES + 2 + 5
    assert np.array_equal(more[: len(slopes)], slopes) and everything.state.max() > told.state.max()
    hidden = large.logged.observation[:, FEATURE_COUNT + 3] * (told.reward > 100)
    assert hidden.sum() >= 0.5 * (told.reward > 100).sum(), "who buys is mostly in the last stage, as it was kept"


def test_who_couples_users_and_who_does_not() -> None:
    grid = Grid()
    assert len(grid.cells) == 2 * 3 * 2 * 2 + 4 + 5 and len({cell.name for cell in grid.cells}) == len(grid.cells)
    assert {cell.seen for cell in grid.cells} == {ALL, TOLD} and [kind.late for kind in KINDS].count(True) == 2
    slack = KINDS[0].scenario(1_000)
    assert slack.us.budget.usd_day is None and not slack.rivals_learn and slack.identity.mode == "perfect"
    budget = next(kind for kind in KINDS if kind.name == "budget").scenario(4_000)
    assert budget.us.budget.usd_day == pytest.approx(48.0) and GRID_LOGS_SEED != GRID_TRUTH_SEED
    assert [cell.name for cell in chosen(grid, ("late-4d",))] == ["late-4d-middle-4000-told"]
    with pytest.raises(UsageError, match="--cell slick: no cell's name has that in it"):
        chosen(grid, ("slick",))


def test_grades_are_plain_counts() -> None:
    """Three logs: one interval misses, one log is refused; a faulty count would show."""
    cell, truth = SMALL.cells[0], Truth(2.0, 0.1, 1.0, 0.1)
    nan = float("nan")
    said = [
        Said(2.5, 1.5, 3.5, 2.1, 2.9, 0.5, 1.5, ""), Said(3.5, 2.5, 4.5, 1.0, 4.0, 1.2, 1.5, ""),
        Said(9.0, 1.0, 17.0, 1.0, 9.0, 0.0, 9.0, "weights"), Said(nan, nan, nan, nan, nan, nan, nan, "overlap"),
        Said(9.0, 8.0, 10.0, 8.0, 10.0, 0.0, 9.0, "weights"),
    ]
    row = graded(cell, "snips", said, truth)
    assert row.bias == pytest.approx(1.0) and row.rmse == pytest.approx((1.25) ** 0.5) and row.bias_se == pytest.approx(0.5)
    assert row.coverage == 0.5 and row.coverage_se == pytest.approx(0.125**0.5) and row.boot_coverage == 0.5
    assert row.gain_coverage == 0.5 and row.width == pytest.approx(2.0)
    assert row.refused == pytest.approx(0.6) and row.refused_by == "weights" and row.coverage_refused == 0.5
    nobody = graded(cell, "snips", said[3:4], truth)
    assert nobody.coverage is None and nobody.coverage_refused is None and nobody.refused == 1.0


def test_choices_are_plain_counts() -> None:
    """Three candidates, three logs: the best chosen, the worst chosen, and one log in which a candidate was refused."""
    truths = [Truth(1.0, 0.1, -1.0, 0.1), Truth(3.0, 0.1, 1.0, 0.1), Truth(4.0, 0.1, 2.0, 0.1)]
    said = Said(0.0, 0.0, 0.0, 0.0, 0.0, -0.5, 0.5, "")
    worth = [(1.0, 6.0, 0.0), (2.0, 5.0, 0.0), (3.0, 4.0, 0.0)]
    told = [[said._replace(value=value) for value in row] for row in worth]
    told[0][1] = told[0][1]._replace(gain_low=0.1)
    told[2][0] = told[2][0]._replace(gain_low=0.1)
    told[1][2] = told[1][2]._replace(refused="sales")
    found = choices_graded("ips", told, truths)
    assert found.logs == 3 and found.refused == pytest.approx(1 / 3) and found.best_share == 0.5
    assert found.regret_1 == 1.5 and found.regret_2 == 0.5 and found.regret_worst == 3.0
    assert found.regret_at_random == pytest.approx(4 / 3) and found.type_1 == 0.5 and found.type_2 == 0.75
    nothing = choices_graded("ips", [[one._replace(refused="sales") for one in row] for row in told], truths)
    assert nothing.refused == 1.0 and nothing.regret_1 is None and nothing.type_1 is None


def test_all_candidates_are_chosen_among_or_none(tmp_path: Path) -> None:
    grid = Grid(kinds=(Kind(CHOICE, 3),), people=(150, 300), truth_worlds=3, choices=CHOICES[:2])
    found = coverage(Asked(2, FEW, (), grid), tmp_path / "all.jsonl", quiet)
    assert [row.target for row in found.cells] == ["quarter", "quarter", "half", "half"]
    assert [row.estimator for row in found.choices] == list(FEW) and {row.logs for row in found.choices} == {2}
    assert not coverage(Asked(2, FEW, ("quarter",), grid), tmp_path / "all.jsonl", quiet).choices


def test_truth_is_a_ratio_with_paired_luck() -> None:
    logging = [(100.0, 50), (300.0, 100), (150.0, 60)]
    target = [(earned + 10.0 * users, users) for earned, users in logging]
    truth = Truth.of(target, logging)
    assert truth.value == pytest.approx(550 / 210 + 10) and truth.gain == pytest.approx(10.0)
    assert truth.gain_se == pytest.approx(0.0, abs=1e-12) and truth.se > 0.01


def test_a_campaign_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut in the middle of a line and asked for more, file and grades are those of one go; nothing is made twice."""
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "deep" / "cut.jsonl"
    asked = Asked(3, FEW, (), SMALL)
    found = coverage(asked, whole, quiet)
    rows = found.cells
    assert len(rows) == (3 * 2 * 2 + 1) * len(FEW) and {row.logs for row in rows} == {3}
    coverage(replace(asked, logs=2), cut, quiet)
    text = cut.read_text()
    cut.write_text(text[: text.rindex('"said"') + 20])
    again = coverage(replace(asked, crew=Crew(2)), cut, quiet)
    assert again == found and sorted(cut.read_text().splitlines()) == sorted(whole.read_text().splitlines())

    def never(*told: object) -> None:
        raise AssertionError("a world was lived through again")

    monkeypatch.setattr(campaign, "worlds_lived", never)
    assert coverage(replace(asked, logs=2, cells=("slack",)), cut, quiet).cells[0].logs == 2
    late = next(row for row in rows if row.kind == "late" and row.estimator == "snips")
    assert late.seen == TOLD and late.people == 300


def test_files_of_others_are_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(json.dumps({"coverage": 1, "worlds": "0123"}) + "\n")
    with pytest.raises(UsageError, match="other worlds, or another program, wrote it"):
        coverage(Asked(2, FEW, (), SMALL), path, quiet)
    path.write_text("not json\n")
    with pytest.raises(UsageError, match="other.jsonl:1: no line of a campaign"):
        coverage(Asked(2, FEW, (), SMALL), path, quiet)
    assert print_of(SMALL) != print_of(replace(SMALL, truth_worlds=4))


def test_answers_by_other_rules_are_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal's bound that was moved since would mix two kinds of answers in one table."""
    path, moved = tmp_path / "mine.jsonl", tmp_path / "judged.py"
    path.write_text(json.dumps({"coverage": campaign.FORMAT, "worlds": print_of(SMALL)}) + "\n")
    assert not campaign.Kept.opened(path, SMALL).said
    moved.write_text(Path(str(judged.__file__)).read_text().replace("PAID_LEAST = 60.0", "PAID_LEAST = 61.0"))
    monkeypatch.setattr(judged, "__file__", str(moved))
    with pytest.raises(UsageError, match="other worlds, or another program, wrote it"):
        campaign.Kept.opened(path, SMALL)


def test_a_row_a_cell() -> None:
    """Coverage/rmse, and the percentage refused where there is one."""
    cell, truth = SMALL.cells[0], Truth(2.0, 0.1, 1.0, 0.1)
    sound = Said(2.5, 1.5, 3.5, 2.1, 2.9, 0.5, 1.5, "")
    rows = [
        graded(cell, name, said, truth).as_json()
        for name, said in (("ips", [sound] * 2), ("dr", [sound, sound._replace(refused="sales")]),
                           ("dm", [sound._replace(refused="history")] * 2))
    ]
    told = {"ips": "1.00 +0.5 0.5", "dr": "1.00 +0.5 0.5 (50)", "dm": "(100)"}
    assert by_cell(rows) == [{"cell": cell.name, "logs": 2, "truth": "2.0", **told}]


@pytest.mark.parametrize(("words", "why"), [
    ([], "--policy: none is given"),
    (["--policy", "rule", "--cell", "slack"], "--cell: only the grid of --coverage asks for it"),
    (["--policy", "rule", "--by-cell"], "--by-cell: only the grid"),
    (["--coverage", "--set", "days=3"], "--set: the grid of --coverage has policies of its own"),
    (["--coverage", "--cell", "nothing such"], "no cell's name has that in it"),
    (["--coverage", "--estimator", "isp"], "there is none of that name"),
])
def test_options_that_do_not_go_together_are_one_line(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_code(["ope", *words]) == 2
    told = capsys.readouterr().err
    assert why in told and "Traceback" not in told and list(tmp_path.iterdir()) == []
