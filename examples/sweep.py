"""Four multiples of today's bids with the same people and luck: what each would have changed, and how sure that is."""

from gaelp_sim.analyse.sweep import cells_of, sweep, varied
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.world.crew import ALONE

cells = cells_of(
    lambda sets: load_scenario("short", ["population.people=1000", "worlds=3", *sets]),
    [varied("us.policy.bid_multiplier=1,0.7,1.3,1.6")], ["rule"],
)
for done in sweep("sqlite:///example.db", cells, ALONE, (lambda *told: None, lambda progress: None)):
    profit = done.figures["profit_usd"]
    ((_, multiple),) = done.cell.settings
    change = f"{profit.difference:+6.0f} ({profit.low:.0f} to {profit.high:.0f}) to the first"
    print(f"bids x {multiple:<3}: profit {profit.replayed:.0f} USD, {change}")
