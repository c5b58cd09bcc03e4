"""The hour: the pipeline's one place where state changes, over all units of a stack at once."""

from __future__ import annotations

from gaelp_sim.observe.memory import forget_wear
from gaelp_sim.population.people import FATIGUE_TEACH
from gaelp_sim.population.proposals import plan_day
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.control import Orders, Report
from gaelp_sim.world.journeys import sweep_lost
from gaelp_sim.world.moves import play_moves
from gaelp_sim.world.rounds import play_rounds
from gaelp_sim.world.script import play_script
from gaelp_sim.world.stack import Stack
from gaelp_sim.world.users import update_users


def run_hour(stack: Stack, hour: int, orders: Orders) -> Report:
    """Run one hour of every unit: auctions in rounds, then natural moves.

    hour: since the root run's start; orders: the controller's leases and sheet for this hour
    """
    day, hour_of_day = divmod(hour, HOURS_PER_DAY)
    stack.take_orders(orders)
    if stack.plan is None or stack.plan.day != day:
        stack.market = stack.model.seasons.day(day, stack.unit_world_id, stack.unit_shift_days)
        stack.plan = plan_day(stack.model.proposer, stack.people, day, stack.market.traffic)
    if hour_of_day == 0:
        _refresh(stack, day)
    update_users(stack, hour)
    proposals = stack.plan.of_hour(hour_of_day)
    play_rounds(stack, hour, proposals)
    play_moves(stack, proposals)
    if stack.model.scenario.script:
        play_script(stack, hour)
    if hour_of_day == HOURS_PER_DAY - 1:
        sweep_lost(stack, (hour + 1) * SECONDS_PER_HOUR)
    return stack.report()


def _refresh(stack: Stack, day: int) -> None:
    """Creatives made anew today: nobody is tired of their families any more, nor do we take them to be."""
    for family in sorted(stack.model.refreshed.get(day, ())):
        stack.people.level[FATIGUE_TEACH + family] = 0
        forget_wear(stack.memory, family)
