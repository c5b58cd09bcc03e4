"""The streaming linker: its odds by hand, the same users however evidence comes, and nothing that it should not know."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from gaelp_sim.events import NONE, Floats, Ints
from gaelp_sim.identity.blocks import no_codes, note, with_room
from gaelp_sim.identity.evidence import BLOCKS, Aliases, Sightings
from gaelp_sim.identity.joins import Links, Method, Moves
from gaelp_sim.identity.linker import resolve
from gaelp_sim.identity.pairs import Parameters
from gaelp_sim.identity.quality import quality
from gaelp_sim.identity.stream import Rules, Stream
from gaelp_sim.identity.weighing import WEIGHT, best_of, near, weighed
from gaelp_sim.scenario.loading import load_scenario
from tests.evidence import Known, known_devices

PLACES_ALONE = "identity.observed.addresses=0"
RULES = Rules()


def _shares() -> Floats:
    curve = np.array(load_scenario("parental_controls", []).curves.hour).reshape(BLOCKS, -1).sum(axis=1)
    return curve / curve.sum()


def _cold(aliases: Aliases) -> Aliases:
    return Aliases(aliases.unit, aliases.kind, np.full_like(aliases.kind, NONE))


def _nothing(founders: Ints) -> Ints:
    return np.zeros(len(founders), dtype=np.int64)


def _streamed(known: Known, rules: Rules = RULES, number: Ints | None = None) -> tuple[Stream, list[Moves]]:
    """All evidence, a few hours of a day at a time; number: other names for the aliases."""
    number = np.arange(len(known.person)) if number is None else number
    back = np.argsort(number)
    aliases = Aliases(known.aliases.unit[back], known.aliases.kind[back], np.full_like(back, NONE))
    stream = Stream.of(aliases, _shares(), rules)
    moves = []
    for day in known.days:
        for part in range(4):
            some = slice(part, None, 4)
            stream.observe(Sightings(number[day.alias[some]], day.block[some], day.address[some], day.place[some]))
            moves.append(stream.update(_nothing))
    return stream, moves


def test_the_linker_s_evidence_has_no_truth_in_it() -> None:
    """Aliases and sightings are all that it is told, and neither knows a person or a household."""
    told = {one.name for noun in (Aliases, Sightings) for one in fields(noun)}
    assert told == {"unit", "kind", "account", "alias", "block", "address", "place"}


def test_other_names_give_the_same_users() -> None:
    """Aliases are numbered by their ids. Had they other ones, or did other people stand behind them: the same."""
    known = known_devices(600, "identity.observed.sightings_per_day.mobile=4", days=10)
    stream, _ = _streamed(known)
    number = np.random.default_rng(5).permutation(len(known.person))
    renamed, _ = _streamed(known, number=number)
    same = renamed.links.user[number]
    # Users are the same sets of aliases, whoever of them gives the name.
    _, one = np.unique(stream.links.user, return_inverse=True)
    _, other = np.unique(same, return_inverse=True)
    pairs = np.unique(np.stack([one, other]), axis=1)
    assert pairs.shape[1] == len(np.unique(one)) == len(np.unique(other)) < len(one)


def _odds_by_hand(stream: Stream, known: Known, pair: tuple[int, int], seen: list[Sightings]) -> float:
    """One person against one home and strangers, from the sightings themselves."""
    one, other = pair
    p = Parameters()
    everybody = {int(alias) for day in seen for alias in day.alias}
    kinds = np.bincount(known.aliases.kind[sorted(everybody)], minlength=3)
    n = len(everybody)
    odds = 1 / ((n * n - (kinds**2).sum()) / n)

    def codes(alias: int, column: str) -> list[int]:
        told = np.concatenate([getattr(day, column)[day.alias == alias] for day in seen])
        return [int(code) for code in told if code != NONE]

    def commonest(alias: int) -> int:
        told = codes(alias, "place")
        return min(set(told), key=lambda code: (-told.count(code), code))

    def among(column: str, code: int) -> int:
        return sum(code in codes(alias, column) for alias in everybody)

    shared = set(codes(one, "address")) & set(codes(other, "address"))
    rarest = min((among("address", code) for code in shared), default=0)
    odds *= n / rarest * p.address if rarest else 1 - p.address
    if commonest(one) == commonest(other):
        odds *= n / sum(commonest(alias) == commonest(one) for alias in everybody) * p.place
    else:
        odds *= 1 - p.place
    prior = p.habit * _shares()
    blocks = [np.concatenate([day.block[day.alias == alias] for day in seen]) for alias in pair]
    hours = [np.bincount(one, minlength=BLOCKS) for one in blocks]

    def rising(counts: Ints) -> float:
        steps = [np.log(prior[block] + step) for block in range(BLOCKS) for step in range(counts[block])]
        return float(sum(steps) - sum(np.log(p.habit + step) for step in range(counts.sum())))

    apart = np.exp(rising(hours[0] + hours[1]) - rising(hours[0]) - rising(hours[1]))
    return float(p.same * odds * apart / (p.home * odds + 1))


def test_odds_are_those_by_hand() -> None:
    """Of every pair near each other in a small town where all addresses are telling ones."""
    known = known_devices(24, "identity.observed.away=0", "identity.observed.shared_homes=0", days=6)
    stream, _ = _streamed(known)
    everybody = np.flatnonzero(stream.known.hours[:, BLOCKS] > 0)
    around = near(stream.known, everybody, np.full(len(known.person), NONE))
    odds = weighed(stream.known, stream.scales, everybody, around)
    assert len(odds) > 40
    for place in range(0, len(odds), 5):
        alias = int(everybody[np.searchsorted(around.begins, place, side="right") - 1])
        other = int(around.other[place])
        assert odds[place] == pytest.approx(_odds_by_hand(stream, known, (alias, other), known.days), rel=1e-9)
    best = best_of(stream.known.kind, around, odds)
    assert best[:, WEIGHT].max() == odds.max()


def test_it_comes_near_to_linking_at_leisure() -> None:
    """Hour by hour, with what is known of everybody so far, it finds nearly as much as all evidence at once does."""
    known = known_devices(3000)
    stream, moves = _streamed(known)
    now = quality(stream.links.user, known.person)
    after = quality(resolve(_cold(known.aliases), known.evidence).user, known.person)
    assert after.f(0.5) - 0.08 < now.f(0.5) < after.f(0.5) + 0.02
    assert now.largest <= 3
    assert sum(len(one.alias) for one in moves) > 2000


def test_changes_add_up_to_the_users() -> None:
    """Whoever follows the changes alone knows the users, each of which is founded by one of its own."""
    stream, moves = _streamed(known_devices(600, days=12))
    user = np.arange(len(stream.links.user))
    for one in moves:
        assert (user[one.alias] == one.previous).all() and (one.user != one.previous).all()
        user[one.alias] = one.user
    assert (user == stream.links.user).all()
    assert (user[user] == user).all()
    methods = np.concatenate([one.method for one in moves])
    assert {Method.LINK, Method.SPLIT} == {Method(code) for code in np.unique(methods)}


def test_a_log_in_joins_for_certain_and_speaks_louder_than_evidence() -> None:
    """Devices of one account are one user at the next update; a device linked in the place of one of them is let go."""
    aliases = Aliases(np.zeros(3, dtype=np.int64), np.array([0, 1, 1]), np.full(3, NONE))
    stream = Stream.of(aliases, _shares(), Rules(join_at=0.05, part_below=0.01))
    stream.observe(Sightings(*(np.array(column) for column in ([0, 1] * 8, [5, 5] * 8, [7, 7] * 8, [3, 3] * 8))))
    (first,) = [stream.update(_nothing)]
    assert stream.links.user.tolist() == [0, 0, 2] and first.method.tolist() == [Method.LINK]
    stream.log_in(0, 99)
    stream.log_in(2, 99)
    found = stream.update(_nothing)
    assert stream.links.user.tolist() == [0, 1, 0]
    assert dict(zip(found.alias.tolist(), found.method.tolist(), strict=True)) == {1: Method.SPLIT, 2: Method.LOGIN}
    assert stream.confidence().tolist() == [1.0, 1.0, 1.0]


def test_two_accounts_are_two_people() -> None:
    """However much evidence speaks for one."""
    aliases = Aliases(np.zeros(2, dtype=np.int64), np.array([0, 1]), np.full(2, NONE))
    stream = Stream.of(aliases, _shares(), Rules(join_at=0.05, part_below=0.01))
    stream.observe(Sightings(*(np.array(column) for column in ([0, 1] * 8, [5, 5] * 8, [7, 7] * 8, [3, 3] * 8))))
    stream.update(_nothing)
    assert stream.links.user.tolist() == [0, 0]
    for alias in (0, 1):
        stream.log_in(alias, 50 + alias)
    assert stream.update(_nothing).method.tolist() == [Method.SPLIT]
    assert stream.links.user.tolist() == [0, 1]


def test_the_user_of_whom_more_is_remembered_stays() -> None:
    aliases = Aliases(np.zeros(2, dtype=np.int64), np.array([0, 1]), np.full(2, NONE))
    stream = Stream.of(aliases, _shares(), Rules(join_at=0.05, part_below=0.01))
    stream.observe(Sightings(*(np.array(column) for column in ([0, 1] * 8, [5, 5] * 8, [7, 7] * 8, [3, 3] * 8))))
    moves = stream.update(lambda founders: np.where(founders == 1, 5, 2))
    assert (moves.alias.tolist(), moves.previous.tolist(), moves.user.tolist()) == ([0], [0], [1])


def test_units_never_touch() -> None:
    """The same evidence in two units is linked in each, never across; what one unit sees changes nothing in the other."""
    known = known_devices(200, days=8)
    n = len(known.person)
    alone, _ = _streamed(known)
    both = Stream.of(
        Aliases(np.repeat([0, 1], n), np.tile(known.aliases.kind, 2), np.full(2 * n, NONE)), _shares(), Rules()
    )
    for day in known.days:
        for part in range(4):
            s = slice(part, None, 4)
            columns = [np.concatenate([one[s], one[s] + n * (name == "alias")]) for name, one in vars(day).items()]
            both.observe(Sightings(*columns))
            both.update(_nothing)
    assert (both.links.user[:n] == alone.links.user).all()
    assert (both.links.user[n:] == alone.links.user + n).all()


def test_links_are_taken_up_where_they_were_left() -> None:
    """Evidence told again and links restored: whatever comes next leads to the same users."""
    known = known_devices(600, days=12)
    stream, _ = _streamed(known)
    again = Stream.of(_cold(known.aliases), _shares(), Rules())
    for day in known.days:
        for part in range(4):
            some = slice(part, None, 4)
            again.observe(Sightings(day.alias[some], day.block[some], day.address[some], day.place[some]))
    again.restore(Links(*(column.copy() for column in stream.links)))
    more = known_devices(600, days=16).days[12:]
    for day in more:
        for one in (stream, again):
            one.observe(day)
        for one, other in zip(stream.update(_nothing), again.update(_nothing), strict=True):
            assert one.tolist() == other.tolist()


def test_codes_are_counted_as_by_hand() -> None:
    """Sizes, commonest codes and who shares them, while pools grow and the commonest one changes."""
    rng = np.random.default_rng(3)
    alias, code = rng.integers(0, 60, 6000), rng.integers(0, 400, 6000)
    code[rng.random(6000) < 0.1] = NONE
    units = np.arange(60) % 2
    codes = no_codes(60)
    for piece in range(0, 6000, 500):
        codes = with_room(codes, 500)
        note(codes, alias[piece : piece + 500], units, code[piece : piece + 500])
    for unit in (0, 1):
        for value in range(400):
            seen = {int(a) for a, c in zip(alias, code, strict=True) if c == value and units[a] == unit}
            at = np.flatnonzero((codes.code[: codes.used[1]] == value) & (codes.unit[: codes.used[1]] == unit))
            assert codes.size[at].sum() == len(seen) and len(at) == (1 if seen else 0)
    for one in range(60):
        told = code[(alias == one) & (code != NONE)].tolist()
        best = min(set(told), key=lambda value: (-told.count(value), value))
        assert codes.code[codes.home[one]] == best
        chain, here = [], codes.first[codes.home[one]]
        while here != NONE:
            chain.append(int(here))
            here = codes.ahead[here]
        assert one in chain and len(chain) == len(set(chain)) == codes.dwellers[codes.home[one]]


def test_behaviour_alone_is_linked_too() -> None:
    """Nothing is taken for disagreement that is merely hidden: without addresses some of the people are found."""
    known = known_devices(3000, PLACES_ALONE)
    stream, _ = _streamed(known, Rules(join_at=0.3, part_below=0.15))
    assert 0.25 < quality(stream.links.user, known.person).f(1) < 0.55
