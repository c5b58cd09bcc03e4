"""A plain world to check the fast one against: one person, one auction, one slot at a time, in Python loops.

Written from the definitions of the design: auctions clear in the order (hour, round, second, person); a bidder is
dropped from an account at the first opportunity that would overspend it, until the account refills. It shares with the
simulator only the keyed draws, the people as they are born, the day's proposals and the compiled tables of `Model`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from fractions import Fraction
from math import ceil

import numpy as np

from gaelp_sim.draws import Purpose
from gaelp_sim.events import NONE, US, ConversionVia, Stage, TouchKind
from gaelp_sim.population.kinds import Move
from gaelp_sim.population.people import born
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PPM, micros
from gaelp_sim.world.model import model_of
from gaelp_sim.world.stack import world_conditions
from tests.worlds.reference_luck import chance_of, levels_read, quarters
from tests.worlds.reference_nouns import Ad, Chance, Person, Proposal, Result
from tests.worlds.reference_rivals import PlainRivals
from tests.worlds.reference_seat import Seat

GOODWILL, RIVALS, FATIGUE = 0, 1, 2
HOUR, DAY, WORD, HALF = 3_600, 86_400, 2.0**32, 2**16
Plans = dict[tuple[int, int], list[Proposal]]
"""Proposals by (person, hour), in time order."""


class ReferenceWorld:
    """World 0 of a scenario under the rule, person by person."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.model = scenario, model_of(scenario, scenario.seed)
        self.rivals = PlainRivals(self.model)
        self.columns = born(self.model.draws, scenario, 0, range(scenario.cells))
        born_as = zip(
            self.columns.person.tolist(), self.columns.unit.tolist(), self.columns.segment.tolist(),
            self.columns.stage.tolist(), self.columns.owned.tolist(), strict=True,
        )
        self.people = [Person(*each) for each in born_as]
        noise, shift = world_conditions(self.model, np.zeros(1, dtype=np.int64))
        self.noise, self.shift = float(noise[0]), shift
        self.prices = 1.0
        """Today's factor on rivals' bids."""
        self.seat = Seat(scenario, self.model)
        self.limits = self.rivals.limits
        self.left = list(self.limits)
        """What the world's accounts have left, between hours."""
        self.lease = [list(self.limits) for _ in range(scenario.cells)]
        self.dropped: list[set[int]] = [set() for _ in range(scenario.cells)]
        self.exhausted: set[int] = set()
        self.refused: dict[int, int] = defaultdict(int)
        """The greatest charge of the hour that an account could not pay."""
        self.due: list[tuple[int, Person]] = []
        self.strikes: list[tuple[int, int]] = []
        self.result = Result()

    def run(self) -> Result:
        """Live through the scenario's days."""
        for day in range(self.scenario.days):
            plans = self._plan(day)
            self.seat.refresh(day, self.people)
            for hour in range(24 * day, 24 * day + 24):
                self._until(hour * HOUR)
                self.seat.pick(hour)
                self._lease_out(hour)
                leased = [list(lease) for lease in self.lease]
                self.rivals.begin_hour()
                pace = [self._pace(hour, channel) for channel in range(self.model.channels)]
                for cell in range(self.scenario.cells):
                    members = [person for person in self.people if person.cell == cell]
                    self._auctions(members, hour, plans, pace)
                    self._moves(members, hour, plans)
                self._take_back(leased, hour)
        self._until(self.scenario.days * DAY)
        self.result.stages = [person.stage for person in self.people]
        return self.result

    def _plan(self, day: int) -> Plans:
        """Everybody's proposals by (person, hour); both layers for everyone, needed or not."""
        market = self.model.seasons.day(day, np.zeros(1, dtype=np.int64), self.shift)
        traffic, self.prices = np.repeat(market.traffic, self.scenario.cells), float(market.prices[0])
        plans: Plans = defaultdict(list)
        rows = np.arange(len(self.people))
        for active in (False, True):
            found = self.model.proposer.propose(self.columns, rows, day, traffic, active=active)
            columns = (found.row, found.second, found.kind, found.mark, found.luck_device, found.luck_query)
            for row, *rest in zip(*[column.tolist() for column in columns], strict=True):
                plans[row, rest[0] // HOUR].append(Proposal(*rest))
        for number, crisis in enumerate(self.scenario.crises):
            word = self._words(Purpose.WORLD_CRISIS, number, day)
            if crisis.on_day == day or (crisis.on_day is None and word[0] / WORD < crisis.per_year / 365.25):
                self.strikes.append((day * DAY + int(word[1] / WORD * DAY), number))
        return {key: sorted(found, key=lambda proposal: proposal.second) for key, found in plans.items()}

    def _words(self, purpose: Purpose, entity: int, time: int, slot: int = 0) -> list[int]:
        return self.model.draws.words(purpose, 0, [entity], time, slot)[:, 0].tolist()

    def _rate(self, person: Person, kind: int) -> float:
        return float(self.model.kinds.rate_per_day[kind, person.segment, person.stage])

    def _until(self, second: int) -> None:
        """Purchases that fall due, and crises that strike, up to this second."""
        happening = sorted([(s, 0, person.id) for s, person in self.due if s <= second]
                           + [(s, 1, number) for s, number in self.strikes if s <= second])
        for when, what, number in happening:
            if what == 0:
                self.people[number].stage = int(Stage.CONVERTED)
            else:
                self._strike(when, number)
        self.due = [each for each in self.due if each[0] > second]
        self.strikes = [each for each in self.strikes if each[0] > second]

    def _strike(self, second: int, number: int) -> None:
        crisis = self.scenario.crises[number]
        for person in self.people:
            if self.scenario.population.segments[person.segment].name in crisis.segments:
                luck = self._words(Purpose.CRISIS_TURN, person.id, second, number)[0] / WORD
                if person.stage != Stage.CONVERTED and luck < crisis.turns_crisis:
                    self._shift(person, second, self.model.crisis_segment)

    def _shift(self, person: Person, second: int, segment: int) -> None:
        if segment != person.segment:
            person.segment = segment
            self.result.shifts.append((person.id, second, segment))

    def _lease_out(self, hour: int) -> None:
        """Refill what is due; then every cell gets its share, by people, of what is left."""
        today = self.scenario.start + timedelta(days=hour // 24)
        for number, account in enumerate(self.model.accounts):
            if hour % 24 == 0 and (not account.monthly or hour == 0 or today.day == 1):
                self.left[number] = self.limits[number]
                self.exhausted.discard(number)
        everybody = len(self.people)
        self.refused = defaultdict(int)
        for cell in range(self.scenario.cells):
            here = sum(person.cell == cell for person in self.people)
            self.dropped[cell] = set(self.exhausted)
            self.lease[cell] = [
                left // everybody * here + left % everybody * here // everybody for left in self.left
            ]

    def _take_back(self, leased: list[list[int]], hour: int) -> None:
        """What was spent is gone; whoever even all of the money could not have paid for is out until the refill."""
        used = [0] * len(self.left)
        for cell, lease in enumerate(self.lease):
            for account, left in enumerate(lease):
                self.left[account] -= leased[cell][account] - left
                used[account] += leased[cell][account] - left
        self.rivals.end_hour(hour, self.left, used)
        self.exhausted |= {account for account, charge in self.refused.items() if charge > self.left[account]}

    def _pace(self, hour: int, channel: int) -> int:
        """Our multiplier in ppm: the tightest day account that covers the channel holds us back."""
        if self.scenario.us.policy.pacing != "even":
            return int(self.rivals.spending.by_channel()[0][0, channel] * PPM)
        passed = float(self.model.traffic_passed[hour % 24])
        paces = [PPM]
        for number, account in enumerate(self.model.accounts):
            covers = account.advertiser == US and account.channel in (NONE, channel) and not account.monthly
            if covers and account.limit_micros > 0:
                ahead = (account.limit_micros - self.left[number]) / account.limit_micros - passed
                paces.append(int(min(max(1.0 - 2.0 * max(ahead - 0.05, 0.0), 0.3), 1.0) * PPM))
        return min(paces)

    def _auctions(self, members: list[Person], hour: int, plans: Plans, pace: list[int]) -> None:
        pending = {person.id: plans.get((person.id, hour), []) for person in members}
        for _ in range(self.scenario.population.opportunities_per_hour_max):
            chosen = []
            for person in members:
                first = self._first_true(person, pending[person.id])
                pending[person.id] = [p for p in pending[person.id] if first and p.second > first.second]
                if first:
                    chosen.append((first.second, person.id, person, first))
            for _, _, person, proposal in sorted(chosen, key=lambda each: each[:2]):
                self._opportunity(person, proposal, hour, pace)

    def _first_true(self, person: Person, pending: list[Proposal]) -> Proposal | None:
        for proposal in pending:
            if proposal.kind < self.model.channels and proposal.mark < self._rate(person, proposal.kind):
                level = self._read(person, proposal.second, self._chance(person, proposal.second).decay)
                if level[GOODWILL] >= self.model.goodwill_needed[proposal.kind]:
                    return proposal
        return None

    def _chance(self, person: Person, second: int) -> Chance:
        return chance_of(lambda purpose, slot: self._words(purpose, person.id, second, slot), self.model.bidders)

    def _read(self, person: Person, second: int, luck: list[float]) -> list[int]:
        return levels_read(person, second, self.model.half_life_s.tolist(), luck)

    def _opportunity(self, person: Person, proposal: Proposal, hour: int, pace: list[int]) -> None:
        model, second, channel = self.model, proposal.second, proposal.kind
        chance = self._chance(person, second)
        level = self._read(person, second, chance.decay)
        self._next_device(person, proposal.luck_device)
        crisis = bool(model.chain.crisis_segment[person.segment])
        edges = model.chain.signal_edges[channel, int(crisis), person.stage].tolist()
        signal = int(model.chain.first_signal[channel]) + sum(proposal.luck_query / WORD >= e for e in edges)
        share = int(self.rivals.spending.by_channel()[1][0, channel] * PPM)
        ours, creative = self.seat.bid(person, proposal, hour, (signal, chance.bids[US], pace[channel], share))
        factor = self.noise * self.prices * float(model.local_hour_price[model.local_hour(hour)])
        bids = [ours, *self.rivals.bids(chance.bids[1:], (channel, signal), factor)]
        family = int(model.effects.family[creative])
        match = model.effects.match[creative, person.stage]
        quality = float(match * model.effects.worn[level[FATIGUE + family]])
        ads, stood = self._clear(person, (channel, second), bids, chance, quality)
        self.rivals.note(person.cell, (channel, signal, factor), chance.bids[1:], (stood, ads))
        if ads:  # an empty page changes nobody: levels are written only where an ad was met
            person.level, person.level_s = level, second
            person.now = second
        self._meet(person, (channel, second, creative, quality), ads, chance)
        self.seat.remember(person, proposal, (signal, creative), [ad for ad in ads if ad.winner == US])
        for ad in ads:
            if ad.clicked and ad.winner != US:
                person.clicked_rival = (ad.winner, signal, second)

    def _next_device(self, person: Person, luck: int) -> None:
        sessions, place = self.model.chain, luck / WORD
        if place >= sessions.stays:
            desktop = float(sessions.desktop_weight[person.stage]) * (person.owned >> 1 & 1)
            tablet = sessions.tablet_weight * (person.owned >> 2 & 1)
            share = (place - sessions.stays) / max(1.0 - sessions.stays, 1e-12) * (1.0 + desktop + tablet)
            person.device = 0 if share < 1.0 else 1 if share < 1.0 + desktop else 2

    def _clear(
        self, person: Person, where: tuple[int, int], bids: list[int], chance: Chance, quality: float
    ) -> tuple[list[Ad], list[int]]:
        """Sell the slots; whoever can't pay is dropped, and the auction is held again. Ads, and bids that stood."""
        channel, second = where
        bids = list(bids)
        accounts = [
            (number, account.advertiser) for number, account in enumerate(self.model.accounts)
            if account.channel in (NONE, channel)
        ]
        for number, advertiser in accounts:
            if number in self.dropped[person.cell]:
                bids[advertiser] = 0
        lease = self.lease[person.cell]
        while True:
            ads = self._sold(person, channel, bids, chance, quality)
            cost = {advertiser: sum(ad.charge for ad in ads if ad.winner == advertiser) for _, advertiser in accounts}
            broke = [(number, advertiser) for number, advertiser in accounts if cost[advertiser] > lease[number]]
            if not broke:
                break
            self.dropped[person.cell].add(broke[0][0])
            self.refused[broke[0][0]] = max(self.refused[broke[0][0]], cost[broke[0][1]])
            bids[broke[0][1]] = 0
        for number, advertiser in accounts:
            lease[number] -= cost[advertiser]
        for ad in ads:
            self.result.spend[second // DAY, ad.winner] += ad.charge
        return ads, bids

    def _sold(self, person: Person, channel: int, bids: list[int], chance: Chance, quality: float) -> list[Ad]:
        rules, effects = self.model.rules, self.model.effects
        reserve = int(rules.reserve_micros[channel])
        scores = [PPM] * len(bids)
        if rules.quality_ranked[channel]:
            scores[US] = max(round(quality * PPM), 1)
        standing = {b: bid * scores[b] for b, bid in enumerate(bids) if bid >= max(reserve, 1)}
        rate = float(effects.click_rate[channel, person.stage] * effects.segment_click[person.segment])
        attention = float(self.model.attention[person.segment])
        ads: list[Ad] = []
        for place in range(int(rules.slots[channel])):
            if not standing:
                break
            tied = [b for b in sorted(standing) if standing[b] == max(standing.values())]
            winner = tied[int(chance.ties / WORD * len(tied))]
            del standing[winner]
            price = bids[winner]
            if self.scenario.channels[channel].mechanism == "vcg":
                price = self._harm(channel, (place, winner), standing, [bids, scores])
            elif not rules.first_price[channel]:
                following = max(standing.values(), default=0)
                price = min(max(-(-following // scores[winner]), reserve), bids[winner])
            works = quality if winner == US else 1.0
            clicked = chance.response[place][0] / WORD < rate * attention**place * works
            charge = price * clicked if rules.per_click[channel] else -(-price // 1_000)
            ads.append(Ad(winner, price, charge, clicked, place))
        return ads

    def _harm(self, channel: int, place: tuple[int, int], standing: dict[int, int], offers: list[list[int]]) -> int:
        """VCG: the worth that the holder of a slot keeps from those ranked below it, at their scores or the reserve."""
        slot, winner = place
        rule, (bids, scores) = self.scenario.channels[channel], offers
        reserve = int(self.model.rules.reserve_micros[channel])
        clicks = [Fraction(4, 5)**k for k in range(rule.slots)]
        if rule.slot_factors:
            clicks = [Fraction(round(share * PPM), PPM) for share in rule.slot_factors]
        worth = [*(clicks if rule.charge == "cpc" else [Fraction(1)] * rule.slots), Fraction(0)]
        below = sorted(standing.values(), reverse=True)
        below += [0] * rule.slots
        harm = sum(
            (worth[j - 1] - worth[j]) * max(Fraction(below[j - slot - 1], scores[winner]), Fraction(reserve))
            for j in range(slot + 1, rule.slots + 1)
        )
        return min(max(ceil(harm / worth[slot]), reserve), bids[winner])

    def _meet(self, person: Person, shown: tuple[int, int, int, float], ads: list[Ad], chance: Chance) -> None:
        """Let the person meet the ads from the top slot down."""
        channel, second, creative, _ = shown
        rate = float(self.model.effects.click_rate[channel, person.stage])
        rate *= float(self.model.effects.segment_click[person.segment])
        attention = float(self.model.attention[person.segment])
        for ad in ads:
            looks = chance.examined / WORD < float(self.model.effects.examined[channel]) * attention**ad.place
            examined = ad.clicked or looks
            buys = self._respond(person, shown, ad, (examined, rate * attention**ad.place, chance))
            if ad.winner == US or examined:
                told = creative if ad.winner == US else NONE
                what = (ad.place, TouchKind.IMPRESSION, ad.winner, channel, told)
                self._touch(person, second, what, (ad.charge, examined, ad.clicked))
            if buys and not person.decided:
                self._decide(person, second, (US, ConversionVia.CLICK), self._words(Purpose.SALE, person.id, second))
            if ad.winner == US and ad.clicked:
                self._after_click(person, chance.account, creative)

    def _respond(
        self, person: Person, shown: tuple[int, int, int, float], ad: Ad, seen: tuple[bool, float, Chance]
    ) -> bool:
        """Move stage and levels by one ad; True where the person buys at once."""
        effects, (channel, _, creative, quality), (examined, base_rate, chance) = self.model.effects, shown, seen
        _, effect, extra = chance.response[ad.place]
        ours = ad.winner == US
        before = person.stage, person.level[GOODWILL], person.level[RIVALS]
        if not examined:
            return False
        place, luck = (channel, person.stage), effect / WORD
        moves = effects.click_moves if ours and ad.clicked else effects.view_moves
        move_rate = float(moves[place]) * (quality if ours else effects.rival_move_factor)
        moved = luck < move_rate
        rest = 1.0 if moved else (luck - move_rate) / max(1.0 - move_rate, 1e-12)
        goodwill, rivals = person.level[GOODWILL], person.level[RIVALS]
        family = int(effects.family[creative])
        if not ours:
            person.last_rival = ad.winner
            rivals += not moved and rest < float(effects.view_goodwill[channel]) + effects.rival_click_goodwill * base_rate
        elif ad.clicked:
            goodwill += (extra & 0xFFFF) < effects.click_goodwill * HALF
        else:
            gains = float(effects.view_goodwill[channel] * effects.worn[person.level[FATIGUE + family]])
            tired = sum(person.level[FATIGUE:]) >= effects.overexposure_from
            harm = gains + (1 - gains) * effects.overexposure_harm
            goodwill += 1 if rest < gains else -1 if tired and rest < harm else 0
        if ours:
            person.level[FATIGUE + family] = min(person.level[FATIGUE + family] + 1, 3)
        person.stage += moved
        person.level[GOODWILL], person.level[RIVALS] = min(max(goodwill, 0), 3), min(rivals, 2)
        rate = float(effects.buy_on_click[person.segment, before[1], before[2]])
        return ours and ad.clicked and before[0] == Stage.INTENT and (extra >> 16) < rate * HALF

    def _touch(self, person: Person, second: int, what: tuple[int, ...], outcome: tuple[int, bool, bool]) -> None:
        self.result.touches.append((person.id, second, *map(int, what), person.device, *map(int, outcome)))

    def _after_click(self, person: Person, luck: int, creative: int) -> None:
        signs = (luck & 0xFFFF) < float(self.model.signup[creative]) * HALF
        person.on_list = person.on_list or signs
        if signs or (luck >> 16) < self.scenario.population.devices.login_on_click * HALF:
            self._log_in(person)

    def _log_in(self, person: Person) -> None:
        """The device joins the account: what we remember of it becomes the account's."""
        if person.device not in person.logged_in and self.scenario.identity.mode != "perfect":
            person.clicks[0] += person.clicks[person.device + 1]
            person.clicks[person.device + 1] = 0
            person.shown[0] += person.shown[person.device + 1]
            person.shown[person.device + 1] = []
        person.logged_in.add(person.device)

    def _decide(self, person: Person, second: int, choice: tuple[int, ConversionVia], luck: list[int]) -> None:
        advertiser, via = choice
        purchased = second + int(self.model.sales.lag_s[luck[1] >> 16])
        reported = purchased + int(luck[2] / WORD * self.model.sales.report_delay_max_s)
        value = micros(self.scenario.economics.ltv_usd) if advertiser == US else 0
        person.decided = True
        self.due.append((purchased, person))
        self.rivals.sold(person.cell, person.clicked_rival, (advertiser, second, reported))
        self.result.sales.append((person.id, second, advertiser, int(via), purchased, reported, value))

    def _moves(self, members: list[Person], hour: int, plans: Plans) -> None:
        """After the auctions: at most one visit, one change and one e-mail a person, in the order (second, person)."""
        changes, visits, emails = [], [], []
        for person in members:
            true = [p for p in plans.get((person.id, hour), []) if self._comes_true(person, p)]
            kinds = [(proposal.kind - self.model.channels, proposal) for proposal in true]
            changes += [(p.second, person.id, m, p) for m, p in kinds if m < Move.VISIT][:1]
            visits += [(p.second, person.id, m, p) for m, p in kinds if m == Move.VISIT][:1]
            emails += [(p.second, person.id, m, p) for m, p in kinds if m == Move.EMAIL][:1]
        for second, number, _, proposal in visits:
            self._next_device(self.people[number], proposal.luck_device)
            site = (101, TouchKind.VISIT, US, self.model.channels + 1, NONE)
            self._touch(self.people[number], self.people[number].moment(second), site, (0, True, False))
        for second, number, move, _ in sorted(changes, key=lambda each: each[:2]):
            self._change(self.people[number], second, Move(move))
        for second, number, _, proposal in sorted(emails, key=lambda each: each[:2]):
            self._email(self.people[number], second, proposal.luck_query / WORD)

    def _comes_true(self, person: Person, proposal: Proposal) -> bool:
        if proposal.kind < self.model.channels or proposal.mark >= self._rate(person, proposal.kind):
            return False
        move = proposal.kind - self.model.channels
        return not (move == Move.PURCHASE and person.decided) and not (move == Move.EMAIL and not person.on_list)

    def _change(self, person: Person, second: int, move: Move) -> None:
        if move in (Move.UP, Move.DOWN):
            person.stage += 1 if move == Move.UP else -1
        elif move == Move.CRISIS:
            self._shift(person, second, self.model.crisis_segment)
        elif move == Move.DRIFT:
            self._shift(person, second, int(self.model.drift_to[person.segment]))
        else:
            self._buy(person, second)

    def _buy(self, person: Person, second: int) -> None:
        """The buyer picks an advertiser: us by goodwill, else a rival, the one seen last favoured."""
        sales, luck = self.model.sales, self._words(Purpose.SALE, person.id, second)
        brand = luck[0]
        decay = self._words(Purpose.SALE, person.id, second, 1)
        second = person.moment(second)
        level = self._read(person, second, quarters(decay[0], decay[1]))
        ours = float(sales.ours_share[level[GOODWILL], level[RIVALS]])
        if brand / WORD < ours:
            self._decide(person, second, (US, ConversionVia.HAZARD), luck)
        elif sales.rivals:
            extra = float(sales.last_rival_extra[level[RIVALS]]) if person.last_rival >= 1 else 0.0
            spread = min((brand / WORD - ours) / (1.0 - ours), 1.0 - 1e-12) * (sales.rivals + extra)
            rival = 1 + int(spread) if spread < sales.rivals else person.last_rival
            self._decide(person, second, (rival, ConversionVia.HAZARD), luck)

    def _email(self, person: Person, second: int, luck: float) -> None:
        email, cost, lease = self.scenario.email, self.model.email_cost_micros, self.lease[person.cell]
        assert email is not None
        wide = [n for n, account in enumerate(self.model.accounts) if (account.advertiser, account.channel) == (US, NONE)]
        if any(lease[number] < cost for number in wide):
            return
        for number in wide:
            lease[number] -= cost
        self.result.spend[second // DAY, US] += cost
        words, decay = (self._words(Purpose.NATURAL, person.id, second, slot) for slot in (1, 2))
        second = person.moment(second)
        person.level, person.level_s = self._read(person, second, quarters(decay[0], decay[1])), second
        clicked = words[0] / WORD < email.click_rate
        opened = clicked or words[1] / WORD < email.open_rate
        up = email.click_moves_up
        moves = [up.unaware, up.aware, up.considering, 0.0, 0.0][person.stage]
        warms = self.scenario.response.click_adds_goodwill if clicked else email.view_adds_goodwill if opened else 0.0
        person.level[GOODWILL] = min(person.level[GOODWILL] + (words[3] / WORD < warms), 3)
        person.stage += clicked and words[2] / WORD < moves
        self._touch(person, second, (100, TouchKind.EMAIL, US, self.model.channels, NONE), (cost, opened, clicked))
        if clicked:
            self._log_in(person)
        person.clicks[self.seat.slot(person)] += clicked
        person.on_list = person.on_list and luck >= email.unsubscribe_rate
