"""Our seat in the plain world: what we remember of a user, the rule's bid and creative, the cap, and what clicks teach."""

from __future__ import annotations

import numpy as np

from gaelp_sim.market.rule_policy import LEVEL_MULTIPLES, NIGHT_HOURS, RulePolicy
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PPM
from gaelp_sim.world.model import Model
from tests.worlds.reference_nouns import Ad, Person, Proposal

FATIGUE = 2
DAY, WORD = 86_400, 2.0**32


class Seat:
    """Our side of one world."""

    def __init__(self, scenario: Scenario, model: Model) -> None:
        assert isinstance(model.us, RulePolicy)
        self.scenario, self.model, self.rule = scenario, model, model.us
        self.counts, self.fresh = model.nothing_shown(1), model.nothing_shown(1)
        """Our impressions and clicks on them, by signal and creative: until the last hour, and in this one."""
        self.picked: list[int] = []

    def refresh(self, day: int, people: list[Person]) -> None:
        """Creatives made anew today: nobody is tired of their family, nor do we take them to be."""
        families = {
            int(self.rule.fits.family[code]) for code, creative in enumerate(self.scenario.creatives)
            if day in creative.refresh_days
        }
        for person in people:
            for family in families:
                person.level[FATIGUE + family] = 0
            person.shown = [[(s, f, 0.0 if f in families else looks) for s, f, looks in seen] for seen in person.shown]

    def pick(self, hour: int) -> None:
        """The controller's creative of the hour on each signal, by the clicks until the last one."""
        self.counts += self.fresh
        self.fresh[:] = 0
        if self.model.click_rates is not None:
            self.picked = self.model.click_rates.picks(self.counts, np.zeros(1, dtype=np.int64), hour)[0].tolist()

    def slot(self, person: Person) -> int:
        """Under which of our identifiers we meet the person now."""
        known = self.scenario.identity.mode == "perfect" or person.device in person.logged_in
        return 0 if known else person.device + 1

    def bid(self, person: Person, proposal: Proposal, hour: int, seen: tuple[int, int, int, int]) -> tuple[int, int]:
        """Our bid and creative by the rule, or explored with probability epsilon; seen: signal, luck, pace, throttle."""
        signal, luck, pace, share = seen
        returning = person.clicks[self.slot(person)] > 0
        night = int(self.model.local_hour(hour) in NIGHT_HOURS)
        level, options = (
            int(self.rule.greedy_level[night, int(returning), signal]), int(self.rule.fits.option_count[proposal.kind])
        )
        greedy = creative = self._greedy_creative(person, proposal.second, signal, returning)
        if luck / WORD < self.rule.epsilon:
            choice = int(luck / WORD / self.rule.epsilon * (len(LEVEL_MULTIPLES) * max(options, 1)))
            level, place = divmod(choice, max(options, 1))
            creative = int(self.rule.fits.options[proposal.kind, place])
        if share < PPM and (luck & 0x3FFF) >= share * 2**14 // PPM:
            return 0, greedy
        if not options or self._has_had_enough(person, proposal.second):
            return 0, creative
        adjust = self.scenario.us.policy.device_adjustments
        paced = float(LEVEL_MULTIPLES[level]) * (int(self.rule.price_micros[signal]) * pace // PPM)
        return int(paced * (adjust.mobile, adjust.desktop, adjust.tablet)[person.device]), creative

    def _greedy_creative(self, person: Person, second: int, signal: int, returning: bool) -> int:
        """The hour's, or the one that fits; the other family's best where the user is tired of that one's."""
        fits, policy = self.rule.fits, self.scenario.us.policy
        if self.picked:
            return self.picked[signal]
        best = int(fits.best[int(returning), signal])
        half_life = self.scenario.response.fatigue_half_life_days * DAY
        looks = [0.0, 0.0]
        for shown, family, look in person.shown[self.slot(person)]:
            looks[family] += look * 2.0 ** (-(second - shown) / half_life)
        own, other = looks[int(fits.family[best])], looks[1 - int(fits.family[best])]
        turns = policy.creatives == "rotate" and own >= policy.rotate_after and own > other
        return int(fits.other[int(returning), signal]) if turns else best

    def _has_had_enough(self, person: Person, second: int) -> bool:
        cap = self.scenario.us.frequency_cap
        if cap is None:
            return False
        window = round(cap.days * DAY)
        recent = [shown for shown, _, _ in person.shown[self.slot(person)] if second - window < shown <= second]
        return len(recent) >= cap.impressions

    def remember(self, person: Person, proposal: Proposal, what: tuple[int, int], ours: list[Ad]) -> None:
        """Our ads as shown, under the identifier that the person has now; what: signal and creative."""
        signal, creative = what
        for ad in ours:
            person.clicks[self.slot(person)] += ad.clicked
            looks = 1.0 if ad.clicked else float(self.model.effects.examined[proposal.kind])
            person.shown[self.slot(person)].append((proposal.second, int(self.rule.fits.family[creative]), looks))
            self.fresh[0, :, signal, creative] += 1, ad.clicked
