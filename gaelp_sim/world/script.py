"""Scripted people: their moments happen as written and land in every table as if they had been simulated.

They come after the natural people, live in the last cell and have no luck of their own: nothing is proposed to them. An
hour's moments are played after its natural moves, at their own seconds, so that its report to the controller holds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.events import (
    NONE,
    US,
    Column,
    ConversionVia,
    DecisionStatus,
    DeviceKind,
    Ints,
    Stage,
    TouchKind,
    TriggerKind,
)
from gaelp_sim.market.auction import charge_of
from gaelp_sim.market.rule_policy import LEVEL_MULTIPLES
from gaelp_sim.observe.memory import (
    SLOTS,
    Emails,
    Impressions,
    Losses,
    remember_emails,
    remember_impressions,
    remember_losses,
)
from gaelp_sim.response.sale import report_delay_s
from gaelp_sim.scenario.schema import ScriptEvent, ScriptPerson
from gaelp_sim.units import HOURS_PER_DAY, PER_MILLE, PPM, SECONDS_PER_HOUR, micros
from gaelp_sim.world.accounts import log_in, sign_up
from gaelp_sim.world.control import ENTERED, PRICE_INDEX, WINS
from gaelp_sim.world.decisions import NOTED, note
from gaelp_sim.world.journeys import EMAIL_SLOT, VISIT_SLOT, Touches, record_touches
from gaelp_sim.world.log import Block
from gaelp_sim.world.moves import log_trigger
from gaelp_sim.world.rounds import OUTCOME
from gaelp_sim.world.sales import Sold, book, sale_words
from gaelp_sim.world.stack import Stack


@dataclass(frozen=True)
class _Moment:
    """One scripted event of one world: who, where in the stack, and at which second since the root run's start."""

    person: ScriptPerson
    event: ScriptEvent
    row: int
    unit: int
    second: int

    def rows(self) -> Ints:
        """The person's row as a column."""
        return np.array([self.row])

    def seconds(self) -> Ints:
        """The moment's second as a column."""
        return np.array([self.second])


def play_script(stack: Stack, hour: int) -> None:
    """Play what the script says of this hour, in order."""
    for moment in _moments(stack, hour):
        people, event = stack.people, moment.event
        people.device[moment.row] = DeviceKind[event.device.upper()]
        _PLAYED[event.kind](stack, moment)
        if event.stage is not None:
            people.stage[moment.row] = Stage[event.stage.upper()]


def _moments(stack: Stack, hour: int) -> Iterator[_Moment]:
    scenario = stack.model.scenario
    for number, person in enumerate(scenario.script):
        for event in person.events:
            second = second_of(event, scenario.utc_offset_hours)
            if second // SECONDS_PER_HOUR == hour:
                for row in np.flatnonzero(stack.people.person == scenario.population.people + number).tolist():
                    yield _Moment(person, event, row, int(stack.people.unit[row]), second)


def second_of(event: ScriptEvent, utc_offset_hours: int) -> int:
    """Second of an event since the start of a run; days count from 1, hours are local."""
    hours = (event.day - 1) * HOURS_PER_DAY + event.hour - utc_offset_hours
    return hours * SECONDS_PER_HOUR + event.minute * 60


def _advertiser(stack: Stack, name: str | None) -> int:
    return US if name is None else stack.model.bidder_names.index(name)


def _spend(stack: Stack, moment: _Moment, advertiser: int, channel: int, charge_micros: int) -> None:
    """Take a charge from every account that covers it; channel: the auction channels, then e-mail."""
    budgets = stack.budgets
    for account, owner in enumerate(budgets.advertiser.tolist()):
        email = channel == stack.model.channels
        covers = stack.model.accounts[account].channel == NONE if email else budgets.covers[account, channel]
        if owner == advertiser and covers:
            if budgets.left_micros[moment.unit, account] < charge_micros:
                event = moment.event
                raise UsageError(
                    f"script of {moment.person.name}, day {event.day}, {event.hour}:{event.minute:02d}: the price "
                    f"{event.price_usd:g} is more than the budget has left; raise the budget"
                )
            budgets.left_micros[moment.unit, account] -= charge_micros
    stack.spent_micros[moment.unit, advertiser, channel] += charge_micros


def _impression(stack: Stack, moment: _Moment) -> None:
    event, model = moment.event, stack.model
    names = [channel.name for channel in model.scenario.channels]
    channel = names.index(str(event.channel))
    signals = [signal.name for signal in model.scenario.channels[channel].signals]
    signal = int(model.chain.first_signal[channel]) + (signals.index(event.signal) if event.signal else 0)
    advertiser, per_click = _advertiser(stack, event.advertiser), bool(model.rules.per_click[channel])
    price = micros(event.price_usd) * (1 if per_click else PER_MILLE)
    ad = _Ad(advertiser, channel, signal, price, charge_of(price, event.clicked, per_click), _creative(stack, event))
    _spend(stack, moment, advertiser, channel, ad.charge_micros)
    _decide(stack, moment, ad)
    stack.log.add_block("outcome", Block(OUTCOME, np.array([
        [stack.unit_world_id[moment.unit]], [moment.second // SECONDS_PER_HOUR], [channel], [advertiser], [price],
        [ad.charge_micros], [event.clicked],
    ])))
    if advertiser > US:
        stack.people.last_rival[moment.row] = advertiser
    ours = advertiser == US
    campaign = int(model.campaign_of_channel[channel]) if ours else NONE
    told = (TouchKind.IMPRESSION, advertiser, channel, campaign, ad.creative if ours else NONE, signal)
    _touch(stack, moment, told, (0, ad.charge_micros))
    _remember(stack, moment, ad)


@dataclass(frozen=True)
class _Ad:
    """A scripted impression in codes and micros."""

    advertiser: int
    channel: int
    signal: int
    price_micros: int
    charge_micros: int
    creative: int
    """Ours; the fitting one of the campaign where the script names none"""


def _creative(stack: Stack, event: ScriptEvent) -> int:
    names = [creative.name for creative in stack.model.scenario.creatives]
    return names.index(event.creative) if event.creative else 0


def _our_bid(stack: Stack, moment: _Moment, ad: _Ad) -> int:
    """What we bid in micros: as written, else (our own ad without bids) the price; 0 where we stayed out."""
    us = stack.model.bidder_names[US]
    written = [micros(bid.bid_usd) for bid in moment.event.bids if bid.advertiser == us]
    return written[0] if written else ad.price_micros if ad.advertiser == US else 0


def _decide(stack: Stack, moment: _Moment, ad: _Ad) -> None:
    """Our decision as a logged row, and the hour's statistics."""
    model, bid = stack.model, _our_bid(stack, moment, ad)
    if not bid:
        return
    won, base = ad.advertiser == US, max(int(model.market_price_micros[ad.signal]), 1)
    stack.statistics[moment.unit, ENTERED] += 1
    if won:
        stack.statistics[moment.unit, WINS] += 1
        stack.statistics[moment.unit, PRICE_INDEX] += ad.price_micros * PPM // base
    elif model.scenario.log == "wins":
        return
    device = int(stack.people.device[moment.row])
    columns = {
        "row": moment.row, "user": int(stack.users_of(moment.rows(), np.array([device]))[0]), "second": moment.second,
        "channel": ad.channel, "signal": ad.signal, "device": device, "clearing_order": NONE,
        "level": 1 + int(np.abs(LEVEL_MULTIPLES[1:] - bid / base).argmin()), "creative": ad.creative, "bid_micros": bid,
        "status": int(DecisionStatus.WON if won else DecisionStatus.LOST), "price_micros": ad.price_micros if won else 0,
        "charge_micros": ad.charge_micros if won else 0, "to_beat_micros": ad.price_micros,
        "on_list": int(stack.people.on_list[moment.row]), "unit": moment.unit, "at": 0,
    }
    note(stack, (moment.second // SECONDS_PER_HOUR, 0), np.array([[columns[name]] for name in NOTED]), np.ones(1))


def _remember(stack: Stack, moment: _Moment, ad: _Ad) -> None:
    device = stack.people.device[moment.rows()]
    rows, slot = np.divmod(stack.users_of(moment.rows(), device), SLOTS)
    second = moment.seconds() + stack.model.start_s
    channel, signal = np.array([ad.channel]), np.array([ad.signal])
    if ad.advertiser == US:
        family = stack.model.effects.family[np.array([ad.creative])]
        remember_impressions(stack.memory, Impressions(
            rows, slot, second, channel, signal, family, np.array([ad.charge_micros]), np.array([moment.event.clicked]),
        ))
    elif _our_bid(stack, moment, ad):
        remember_losses(stack.memory, Losses(rows, slot, second, channel, signal))


def _touch(stack: Stack, moment: _Moment, told: tuple[int, ...], paid: tuple[int, int]) -> None:
    """told: kind, advertiser, channel, campaign, creative, signal; paid: touch slot, price in micros."""
    kind, advertiser, channel, campaign, creative, signal = (np.array([int(code)]) for code in told)
    slot, price = (np.array([number]) for number in paid)
    impression = told[0] == TouchKind.IMPRESSION
    device: Ints = stack.people.device[moment.rows()].astype(np.int64)
    record_touches(stack, Touches(
        moment.rows(), moment.seconds(), slot, kind, advertiser, channel, campaign, creative, signal,
        np.array([int(impression)]), device, price, np.array([True]), np.array([moment.event.clicked]),
    ), impressions=bool(impression))


def _email(stack: Stack, moment: _Moment) -> None:
    model, event, rows = stack.model, moment.event, moment.rows()
    cost = micros(event.price_usd)
    _spend(stack, moment, US, model.channels, cost)
    campaign = len(model.scenario.us.campaigns)
    _touch(stack, moment, (TouchKind.EMAIL, US, model.channels, campaign, NONE, NONE), (EMAIL_SLOT, cost))
    device: Column = stack.people.device[rows].astype(np.int64)
    if event.clicked:
        log_in(stack, rows, device, moment.seconds())
    remember_emails(stack.memory, Emails(
        *np.divmod(stack.users_of(rows, device), SLOTS), moment.seconds() + model.start_s, np.array([model.channels]),
        np.array([cost]), np.array([event.clicked]),
    ))


def _visit(stack: Stack, moment: _Moment) -> None:
    site = (TouchKind.VISIT, _advertiser(stack, moment.event.advertiser), stack.model.channels + 1, NONE, NONE, NONE)
    _touch(stack, moment, site, (VISIT_SLOT, 0))


def _signup(stack: Stack, moment: _Moment) -> None:
    sign_up(stack, moment.rows())
    log_in(stack, moment.rows(), stack.people.device[moment.rows()].astype(np.int64), moment.seconds())


def _crisis(stack: Stack, moment: _Moment) -> None:
    people, event = stack.people, moment.event
    names = [segment.name for segment in stack.model.scenario.population.segments]
    segment = names.index(event.segment) if event.segment else stack.model.crisis_segment
    if segment not in (NONE, int(people.segment[moment.row])):
        log_trigger(stack, moment.rows(), moment.seconds(), TriggerKind.CRISIS_PERSON, np.array([segment]))
        people.segment[moment.row] = segment
        people.crisis_s[moment.row] = moment.second


def _purchase(stack: Stack, moment: _Moment) -> None:
    """Decided and paid at this minute; our report comes by the scenario's rule."""
    people, model, row = stack.people, stack.model, moment.row
    words = sale_words(stack, moment.rows(), moment.seconds())[:, 0].astype(np.int64).tolist()
    advertiser = _advertiser(stack, moment.event.advertiser)
    people.decided_s[row] = moment.second
    told = (
        row, people.world[row], people.person[row], moment.second, (words[6] >> 1) << 31 | words[7] >> 1, advertiser,
        ConversionVia.CLICK if people.our_clicks[row] and advertiser == US else ConversionVia.HAZARD, moment.second,
        moment.second + report_delay_s(model.sales, words[2]), model.sales.ltv_micros if advertiser == US else 0,
        NONE, people.device[row], people.journey[row], 0, (stack.first_seen_s[row] >= 0).any(),
    )
    book(stack, Sold(*[np.array([int(value)]) for value in told]))


_PLAYED = {
    "impression": _impression, "email": _email, "visit": _visit, "crisis": _crisis, "signup": _signup,
    "purchase": _purchase,
}
