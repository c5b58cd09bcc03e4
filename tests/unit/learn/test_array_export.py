"""Arrays for off-policy tools: every decision once, money to the micro, journeys end as each tool wants it, no pickle."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaelp_sim.analyse.import_log import import_log
from gaelp_sim.calibrate.mapping import load_mapping, parse_mapping
from gaelp_sim.errors import UsageError
from gaelp_sim.learn import log_chances
from gaelp_sim.learn.array_export import ArrayRequest, export_arrays
from gaelp_sim.learn.array_forms import FORMS
from gaelp_sim.learn.log_chances import choices_of
from gaelp_sim.learn.logged import read_logged
from gaelp_sim.observe.table import NAMES
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.store.console import run_query
from gaelp_sim.world.request import RunRequest
from gaelp_sim.world.simulate import run

Stored = tuple[Store, RunRecord]
Kept = dict[str, np.ndarray]
SHOWN = "timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user_feature_2,user_feature_3"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    """A run of two worlds in which some people buy from us, beside another run."""
    url = f"sqlite:///{tmp_path_factory.mktemp('arrays')}/gaelp.db"
    done = run(RunRequest(load_scenario("short", ["population.people=1200", "worlds=2"]), url))
    run(RunRequest(load_scenario("short"), url, seed=9))
    with Store.open(url) as store:
        yield store, store.find_run(done.run_id)


def written(stored: Stored, to: str, folder: Path, **told: Any) -> tuple[Kept, dict[str, Any]]:
    """The arrays and the manifest of a form."""
    export_arrays(*stored, ArrayRequest(to, folder, **told), lambda name, rows: None)
    with np.load(folder / f"{to}.npz", allow_pickle=False) as arrays:
        return dict(arrays), json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def imported(folder: Path, text: str, mapping: str = "open_bandit") -> Iterator[Stored]:
    """A log as a run."""
    (folder / "log.csv").write_text(text, encoding="utf-8")
    told = load_mapping(mapping) if mapping == "open_bandit" else parse_mapping(mapping, "mine.yaml")
    with Store.open(f"sqlite:///{folder / 'imported.db'}") as store:
        yield store, import_log(store, folder / "log.csv", told, "", lambda rows: None).run


def asked(stored: Stored, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query on the run."""
    return run_query(stored[0].url, sql, run=stored[1].run_id, limit=1_000_000).rows


@pytest.mark.parametrize("to", FORMS)
def test_the_manifest_explains_plain_arrays(stored: Stored, tmp_path: Path, to: str) -> None:
    """Shape, type, unit and meaning of each; features and actions in words; the same bytes each time; nothing pickled."""
    kept, manifest = written(stored, to, tmp_path / "a")
    (file,) = manifest["files"]
    raw = (tmp_path / "a" / file["file"]).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == file["sha256"]
    assert set(file["arrays"]) == set(kept) and file["rows"] == len(next(iter(kept.values())))
    for name, values in kept.items():
        told = file["arrays"][name]
        assert values.dtype.kind in "fib" and told["shape"] == list(values.shape) and told["dtype"] == str(values.dtype)
        assert told["unit"] and told["meaning"]
    assert [one["name"] for one in manifest["features"]] == list(NAMES)
    assert [one["action"] for one in manifest["actions"]] == list(range(len(manifest["actions"])))
    assert (manifest["run_id"], manifest["to"], manifest["reward"]) == (stored[1].run_id, to, "profit")
    written(stored, to, tmp_path / "b")
    assert (tmp_path / "b" / file["file"]).read_bytes() == raw


def test_a_bandit_round_is_a_decision(stored: Stored, tmp_path: Path) -> None:
    """Rounds, actions, chances and money are those that queries give."""
    kept, manifest = written(stored, "obp", tmp_path / "a")
    rows = asked(stored, "SELECT level, creative, propensity, participate FROM decisions")
    words = manifest["actions"]
    ours = sorted((words[a]["level"], words[a]["creative"], p, words[a]["participate"])
                  for a, p in zip(kept["action"].tolist(), kept["pscore"].tolist(), strict=True))
    assert ours == sorted(rows) and len(ours) == manifest["facts"]["n_rounds"] > 1_000
    assert kept["reward"].sum() == pytest.approx(profit(stored), abs=1e-9) and kept["reward"].max() > 100
    assert manifest["facts"]["n_actions"] == len(words) > kept["action"].max()
    assert not kept["position"].any() and manifest["facts"]["len_list"] == 1


def profit(stored: Stored) -> float:
    """Sales of ours that a decision came before, less all charges."""
    charged = asked(stored, "SELECT SUM(charge_usd) FROM decisions WHERE status = 'WON'")[0][0]
    sold = asked(stored, """
        SELECT SUM(c.value_usd) FROM conversions c WHERE c.advertiser = 'Aura' AND EXISTS (
            SELECT 1 FROM decisions d
            WHERE d.world_id = c.world_id AND d.person_id = c.person_id AND d.decided_s <= c.decided_s)""")
    return float(sold[0][0] or 0.0) - float(charged)


def test_clicks_as_rewards(stored: Stored, tmp_path: Path) -> None:
    """The decisions whose ads were clicked in an auction, and no others."""
    kept, manifest = written(stored, "obp", tmp_path / "a", reward="click")
    clicks = asked(stored, "SELECT world_id, person_id, touched_s FROM touchpoints WHERE advertiser = 'Aura' AND "
                           "kind = 'IMPRESSION' AND clicked = 1")
    logged, paid = read_logged(*stored), kept["reward"] == 1
    found = zip(logged.person[paid] >> 32, logged.person[paid] & 2**32 - 1, logged.second[paid], strict=True)
    assert sorted((int(a), int(b), int(c)) for a, b, c in found) == sorted(clicks) and len(clicks) > 10
    assert set(np.unique(kept["reward"])) == {0.0, 1.0} and manifest["reward"] == "click"


def test_episodes_end_as_they_did(stored: Stored, tmp_path: Path) -> None:
    """One end a user: a terminal for who bought from us, else a timeout on a row of its own; no reward gets lost."""
    kept, manifest = written(stored, "mdp", tmp_path / "a")
    logged = read_logged(*stored)
    ends = np.flatnonzero(np.diff(kept["user"], append=-1))
    assert len(ends) == manifest["facts"]["episodes"] == len(logged.bought)
    np.testing.assert_array_equal(kept["terminals"][ends] == 1, logged.bought)
    np.testing.assert_array_equal(kept["timeouts"][ends] == 1, ~logged.bought)
    assert kept["terminals"].sum() + kept["timeouts"].sum() == len(ends) and 0 < logged.bought.sum() < len(ends)
    decided = ~kept["closing"]
    np.testing.assert_array_equal(kept["closing"], kept["timeouts"] == 1)
    np.testing.assert_allclose(kept["rewards"][decided, 0], logged.reward_usd, rtol=1e-6)
    np.testing.assert_array_equal(kept["observations"][decided], logged.observation)
    np.testing.assert_array_equal(kept["observations"][~decided], kept["observations"][np.flatnonzero(~decided) - 1])
    assert not kept["rewards"][~decided].any()


def test_trajectories_of_one_length(stored: Stored, tmp_path: Path) -> None:
    """Decisions first, then the action of a journey that is over, from one step after the last decision on."""
    kept, manifest = written(stored, "scope_rl", tmp_path / "a")
    facts, logged = manifest["facts"], read_logged(*stored)
    steps, users = facts["step_per_trajectory"], facts["n_trajectories"]
    assert facts["size"] == steps * users == len(kept["state"]) and users == len(logged.bought)
    table = {name: values.reshape(users, steps, *values.shape[1:]) for name, values in kept.items()}
    assert table["padded"][:, -1].all() and not table["padded"][:, 0].any()
    np.testing.assert_array_equal((~table["padded"]).sum(axis=1), np.diff(logged.begins))
    over = facts["n_actions"] - 1
    assert manifest["actions"][over]["ended"] and (table["action"][table["padded"]] == over).all()
    assert (table["pscore"][table["padded"]] == 1).all() and not table["state"][table["padded"]].any()
    here = ~kept["padded"]
    for name, wanted in (("action", logged.action), ("reward", logged.reward_usd), ("pscore", logged.propensity),
                         ("state", logged.observation), ("cut", logged.timeout)):
        np.testing.assert_array_equal(kept[name][here], wanted)
    # SCOPE-RL's own mask of rewards leaves every one of them; said at the last decision, it would drop the sales.
    assert (table["reward"] * (1 - table["done"]).cumprod(axis=1)).sum() == pytest.approx(logged.reward_usd.sum())
    early = np.roll(table["done"], -1, axis=1)
    early[:, -1] = 1
    assert (table["reward"] * (1 - early).cumprod(axis=1)).sum() < logged.reward_usd.sum() - 100
    assert (table["terminal"].sum(axis=1) == 1).all() and (table["terminal"][:, -1] == 1).all()


def test_an_imported_log(tmp_path: Path) -> None:
    """Its own features, names of items, places from 0; even chances of all are told whole."""
    lines = [f"2019-11-24 00:00:{i:02d}+00:00,{'abcd'[i % 4]},{1 + i % 3},{i % 5 == 0:d},0.25,x,{'uv'[i % 2]},y,z"
             for i in range(40)]
    for here in imported(tmp_path, "\n".join([SHOWN, *lines]) + "\n"):
        kept, manifest = written(here, "obp", tmp_path / "obp", reward="click")
        assert kept["context"].shape == (40, 4) and kept["pi_b"].shape == (40, 4, 3) and (kept["pi_b"] == 0.25).all()
        assert [one["name"] for one in manifest["features"]] == [f"user_feature_{i}" for i in range(4)]
        order = np.argsort(kept["second"])
        assert [manifest["actions"][a]["creative"] for a in kept["action"][order]] == ["abcd"[i % 4] for i in range(40)]
        np.testing.assert_array_equal(kept["position"][order], np.arange(40) % 3)
        np.testing.assert_array_equal(kept["reward"][order], np.arange(40) % 5 == 0)
        np.testing.assert_array_equal(kept["context"][order][:, 1], np.arange(40) % 2)
        assert manifest["facts"]["whole_distributions"] == "told as `pi_b`"
        with pytest.raises(UsageError, match="neither costs nor sales; next: --reward click"):
            written(here, "mdp", tmp_path / "mdp")
        assert not (tmp_path / "mdp").exists()


def test_the_rules_chances_are_told_whole(stored: Stored, tmp_path: Path) -> None:
    """Each row sums to 1 and holds the logged chance; over rounds alike, actions come as often as they say."""
    kept, manifest = written(stored, "obp", tmp_path / "a")
    pi_b, n = kept["pi_b"][:, :, 0], len(kept["action"])
    np.testing.assert_allclose(pi_b.sum(axis=1), 1.0)
    np.testing.assert_allclose(pi_b[np.arange(n), kept["action"]], kept["pscore"], rtol=1e-9)
    assert manifest["facts"]["n_actions"] == pi_b.shape[1] == len(manifest["actions"])
    expected, seen = pi_b.sum(axis=0), np.bincount(kept["action"], minlength=pi_b.shape[1])
    spread = np.sqrt((pi_b * (1 - pi_b)).sum(axis=0))
    assert (np.abs(seen - expected) <= 4 * spread + 1).all() and (expected > 0).sum() > 20


@pytest.mark.parametrize("sets", [
    ("us.policy.creatives=thompson",), ("us.policy.pacing=throttle", "us.budget.usd_day=20", "population.people=1500"),
])
def test_chances_that_can_not_be_known_are_left_out(tmp_path: Path, sets: tuple[str, ...]) -> None:
    """Creatives that were learned, or auctions that were passed over by chance."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    done = run(RunRequest(load_scenario("short", sets), url))
    with Store.open(url) as store:
        kept, manifest = written((store, store.find_run(done.run_id)), "obp", tmp_path / "a")
    assert "pi_b" not in kept and "left out" in manifest["facts"]["whole_distributions"]
    assert manifest["facts"]["n_actions"] == len(np.unique(kept["action"]))


def test_another_rule_is_told_apart(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """One hour more of night, and nothing is said."""
    logged = read_logged(*stored)
    assert choices_of(stored[1], logged).pi_b is not None
    monkeypatch.setattr(log_chances, "NIGHT_HOURS", frozenset(range(1, 7)))
    assert choices_of(stored[1], logged).pi_b is None


@pytest.mark.parametrize("mapping, why", [
    ("name: mine\ncolumns: {time: t, click: c}", "holds no decision of ours"),
    ("name: mine\ncolumns: {time: t, click: c, propensity: p}", "saw nothing"),
])
def test_logs_that_tell_too_little(tmp_path: Path, mapping: str, why: str) -> None:
    """One line that says what is lacking; nothing is written."""
    for here in imported(tmp_path, "t,c,p\n10,1,0.5\n20,0,0.5\n", mapping):
        for to in FORMS:
            with pytest.raises(UsageError, match=why) as raised:
                written(here, to, tmp_path / to, reward="click")
            assert "\n" not in str(raised.value) and not (tmp_path / to).exists()


def test_wins_alone_are_refused(tmp_path: Path) -> None:
    """What was lost is not there."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    done = run(RunRequest(load_scenario("short", ["log=wins"]), url))
    with Store.open(url) as store, pytest.raises(UsageError, match="run it again with --set log=all"):
        written((store, store.find_run(done.run_id)), "obp", tmp_path / "a")


def test_a_folder_that_is_there_stays(stored: Stored, tmp_path: Path) -> None:
    """Unless it may give way."""
    (tmp_path / "a").mkdir()
    with pytest.raises(UsageError, match="--force"):
        written(stored, "obp", tmp_path / "a")
    kept, _ = written(stored, "obp", tmp_path / "a", force=True)
    assert len(kept["action"]) > 1_000 and {path.name for path in tmp_path.iterdir()} == {"a"}


def test_both_databases_give_the_same_bytes(sqlite_url: str, pg_url: str, tmp_path: Path) -> None:
    """File by file."""
    for number, url in enumerate((sqlite_url, pg_url)):
        done = run(RunRequest(load_scenario("short"), url))
        with Store.open(url) as store:
            for to in FORMS:
                written((store, store.find_run(done.run_id)), to, tmp_path / f"{to}{number}")
    for to in FORMS:
        assert (tmp_path / f"{to}0" / f"{to}.npz").read_bytes() == (tmp_path / f"{to}1" / f"{to}.npz").read_bytes()


def test_the_core_is_enough() -> None:
    """No file on the way loads torch, which a plain install does not have."""
    code = "import sys; sys.modules['torch'] = None; import gaelp_sim.learn.array_export"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
