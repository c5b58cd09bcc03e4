"""Credit models against worked examples, exact fractions and definitions worked out by brute force."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from math import factorial

import numpy as np
import pytest

from gaelp_sim.attribution.markov import chain_of
from gaelp_sim.attribution.models import CHANNEL_WEIGHTS, Options, credited
from gaelp_sim.attribution.paths import Paths, paths_from_texts
from gaelp_sim.errors import UsageError
from tests.checks.credit import random_paths

Row = tuple[str, int, int]
A: list[Row] = [(path, 1, 0) for path in ("A", "A > B", "A > B > C", "B", "B > A", "B > C > A", "C", "C > A", "C > B > A")]
B: list[Row] = [
    ("search > display > email", 10, 40), ("display > search", 8, 30), ("search", 20, 30), ("display", 3, 60),
    ("email > search", 5, 20), ("display > email", 0, 50), ("social > display", 2, 80),
]
AB = pytest.mark.parametrize("rows", [A, B], ids="AB")


def _credit(rows: list[Row], model: str, options: Options | None = None) -> dict[str, float]:
    paths, channels = paths_from_texts(rows)
    return dict(zip(channels, credited(paths, model, options or Options()).by_channel.tolist(), strict=True))


@pytest.mark.parametrize("model, of_a, of_b", [
    ("first", {"A": 3, "B": 3, "C": 3}, {"display": 11, "email": 5, "search": 30, "social": 2}),
    ("last", {"A": 5, "B": 2, "C": 2}, {"display": 5, "email": 10, "search": 33, "social": 0}),
    ("linear", {"A": 3.5, "B": 3, "C": 2.5}, {"display": 34 / 3, "email": 35 / 6, "search": 179 / 6, "social": 1}),
    ("shapley", {"A": 3.5, "B": 3, "C": 2.5}, {"display": 34 / 3, "email": 35 / 6, "search": 179 / 6, "social": 1}),
    ("position", {"A": 3.7, "B": 2.8, "C": 2.5}, {"display": 10, "email": 6.5, "search": 30.5, "social": 1}),
])
def test_worked_examples(model: str, of_a: dict[str, float], of_b: dict[str, float]) -> None:
    """The two published sets of paths."""
    assert _credit(A, model) == pytest.approx(of_a, abs=1e-9)
    assert _credit(B, model) == pytest.approx(of_b, abs=1e-9)


def test_markov_as_published() -> None:
    """Six decimals of the credits, the removal effects and the conversion rate."""
    assert _credit(A, "markov") == pytest.approx({"A": 3.547718, "B": 2.838174, "C": 2.614108}, abs=5e-7)
    published = {"display": 14.289994, "email": 8.905909, "search": 20.385765, "social": 4.418332}
    assert _credit(B, "markov") == pytest.approx(published, abs=5e-7)
    paths, _ = paths_from_texts(B)
    chain = chain_of(paths, 1)
    assert chain.conversion == pytest.approx(0.134078, abs=5e-7)
    assert chain.removal_effect == pytest.approx([0.515465, 0.321252, 0.73535, 0.159377], abs=5e-7)


@AB
@pytest.mark.parametrize("order", [1, 2, 3])
def test_markov_is_exact(rows: list[Row], order: int) -> None:
    """Against the definition in fractions: take the channel's states out, let their flow go to null, solve again."""
    exact = _markov_in_fractions(rows, order)
    assert _credit(rows, "markov", Options(order=order)) == pytest.approx(exact, abs=1e-9)


def test_markov_of_pychattr() -> None:
    """A 2, B 1, where a simulation prints 1.991 and 1.009."""
    rows: list[Row] = [("A > B > A > B > B > A", 1, 0), ("A > B > B > A > A", 1, 0), ("A > A", 1, 0)]
    assert _credit(rows, "markov") == pytest.approx({"A": 2, "B": 1}, abs=1e-9)


def test_markov_does_not_see_repetition() -> None:
    """A step from a channel to itself only delays: the chain's credits are those of the paths without it."""
    repeated: list[Row] = [("a > a > b", 3, 2), ("b > b > b", 1, 4), ("a > b > b > c", 2, 2), ("c > c", 0, 3)]
    collapsed: list[Row] = [("a > b", 3, 2), ("b", 1, 4), ("a > b > c", 2, 2), ("c", 0, 3)]
    assert _credit(repeated, "markov") == pytest.approx(_credit(collapsed, "markov"), abs=1e-9)


def test_markov_without_null_paths_is_another_model() -> None:
    """The known trap: on conversions only, search gets 24.40, not 20.39."""
    sold: list[Row] = [(path, sales, 0) for path, sales, _ in B if sales]
    assert _credit(sold, "markov")["search"] == pytest.approx(24.403226, abs=5e-7)


def test_markov_tells_what_is_too_large() -> None:
    """A chain that can't be solved in reasonable time is refused."""
    paths = random_paths(0, n=30_000, channels=40)
    with pytest.raises(UsageError, match="lower --order"):
        chain_of(paths, 3)


def test_time_decay_as_published() -> None:
    """The worked example with a half-life of seven days and $12,000."""
    days = np.array([0, 5, 12, 30, 38])
    paths = Paths(np.array([0, 5]), np.arange(5), days * 86_400, np.array([40 * 86_400]), np.ones(1), np.zeros(1), 5)
    shares = credited(paths, "time_decay", Options()).shares
    weights = [2 ** (-(38 - day) / 7) for day in days]
    assert shares == pytest.approx([weight / sum(weights) for weight in weights], abs=1e-12)
    assert shares * 12_000 == pytest.approx([175.20, 287.44, 574.88, 3417.04, 7545.45], abs=0.005)


def test_data_driven_is_the_documents_rule() -> None:
    """Against the rule written down touch by touch, on random paths."""
    paths, names = random_paths(3, channels=6), ["search", "retargeting", "social", "display", "video", "email"]
    options = Options(channel_weight=np.array([CHANNEL_WEIGHTS.get(name, 1.0) for name in names]))
    shares = credited(paths, "data_driven", options).shares
    for path in range(len(paths)):
        touches = range(paths.starts[path], paths.starts[path + 1])
        weights = [_document_weight(paths, path, touch, names) for touch in touches]
        assert shares[touches.start : touches.stop] == pytest.approx([w / sum(weights) for w in weights], abs=1e-12)


def _document_weight(paths: Paths, path: int, touch: int, names: list[str]) -> float:
    days = int(paths.ended_s[path] - paths.second[touch]) // 86_400
    position = 1.3 if touch == paths.starts[path] else 1.5 if touch == paths.starts[path + 1] - 1 else 1.0
    return 0.5 ** (days / 7) * position * CHANNEL_WEIGHTS.get(names[paths.channel[touch]], 1.0)


def test_a_path_of_years_keeps_its_shares() -> None:
    """Weights that no float could hold are taken relative to the last touch."""
    second = np.array([0, 86_400 * 7])
    paths = Paths(np.array([0, 2]), np.array([0, 1]), second, np.array([86_400 * 40_000]), np.ones(1), np.zeros(1), 2)
    assert credited(paths, "data_driven", Options()).shares == pytest.approx([1.3 / 4.3, 3 / 4.3], abs=1e-12)


@AB
def test_shapley_by_all_orderings(rows: list[Row]) -> None:
    """Against the average of what a channel adds, over every order in which channels can come together."""
    channels = sorted({word for path, _, _ in rows for word in path.split(" > ")})

    def earns(coalition: frozenset[str]) -> Fraction:
        return Fraction(sum(sales for path, sales, _ in rows if set(path.split(" > ")) <= coalition))

    value = dict.fromkeys(channels, Fraction(0))
    for order in permutations(channels):
        for place, channel in enumerate(order):
            before = frozenset(order[:place])
            value[channel] += (earns(before | {channel}) - earns(before)) / factorial(len(channels))
    assert _credit(rows, "shapley") == pytest.approx({name: float(v) for name, v in value.items()}, abs=1e-9)


def test_unknown_models_are_told() -> None:
    """The line names the models that there are."""
    with pytest.raises(UsageError, match="first, last, linear"):
        credited(random_paths(0), "frist", Options())


def _markov_in_fractions(rows: list[Row], order: int) -> dict[str, float]:
    walks = [(path.split(" > "), sales, sales + nulls) for path, sales, nulls in rows]
    channels = sorted({word for words, _, _ in walks for word in words})
    total = _conversion(walks, order, removed=None)
    effect = {channel: 1 - _conversion(walks, order, removed=channel) / total for channel in channels}
    sales = sum(sales for _, sales, _ in walks)
    return {channel: float(effect[channel] * sales / sum(effect.values())) for channel in channels}


def _conversion(walks: list[tuple[list[str], int, int]], order: int, removed: str | None) -> Fraction:
    """Probability to get from the start to a sale, by elimination over fractions."""
    step: dict[tuple[str, ...], dict[object, Fraction]] = {}
    for words, sales, times in walks:
        states = [("start",), *(tuple(words[max(0, i + 1 - order) : i + 1]) for i in range(len(words)))]
        for before, after in zip(states, states[1:], strict=False):
            _add(step, before, after, times)
        _add(step, states[-1], "sale", sales)
        _add(step, states[-1], "null", times - sales)
    states = [state for state in step if removed is None or state == ("start",) or removed not in state]
    chance = {state: {to: count / sum(step[state].values()) for to, count in step[state].items()} for state in states}
    for gone in [state for state in states if state != ("start",)]:
        loop = chance[gone].pop(gone, Fraction(0))
        leaves = {to: p / (1 - loop) for to, p in chance.pop(gone).items()}
        for row in chance.values():
            through = row.pop(gone, Fraction(0))
            for to, p in leaves.items():
                row[to] = row.get(to, Fraction(0)) + through * p
    return chance[("start",)].get("sale", Fraction(0))


def _add(step: dict[tuple[str, ...], dict[object, Fraction]], before: tuple[str, ...], after: object, times: int) -> None:
    row = step.setdefault(before, {})
    row[after] = row.get(after, Fraction(0)) + times


def test_the_oracle_agrees_with_paths_by_hand() -> None:
    """On two channels the chain can be worked out on paper: a leads to b half of the time, b sells half of the time."""
    rows: list[Row] = [("a > b", 1, 1), ("a", 0, 2)]
    assert _markov_in_fractions(rows, 1) == {"a": 0.5, "b": 0.5}
