"""A bidder of your own in our seat: half the market's price, with our first creative, and nothing on display."""

import numpy as np

import gaelp_sim as gaelp
from gaelp_sim.events import Bids, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Moment
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import micros


class Half:
    """Bids half of what the scenario says that a signal's price is."""

    def __init__(self, scenario: Scenario) -> None:
        self.name = scenario.us.name
        signals = [signal for channel in scenario.channels for signal in channel.signals]
        self.half_micros = np.array([micros(signal.price_median_usd) // 2 for signal in signals])
        self.display = [channel.name for channel in scenario.channels].index("display")

    @staticmethod
    def of(scenario: Scenario) -> "Half":
        """The bidder for a scenario."""
        return Half(scenario)

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """One bid for each opportunity; 0 stays out."""
        enters = opportunities.channel != self.display
        n = len(opportunities.channel)
        bid_micros = np.where(enters, self.half_micros[opportunities.signal], 0)
        return Bids(bid_micros, enters.astype(np.int16), np.zeros(n, dtype=np.int16), np.ones(n))

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """What it sees of its own outcomes, as sums; it learns nothing."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Once an hour, on the sums of all cells."""


if __name__ == "__main__":
    run = gaelp.run(
        "parental_controls", db="sqlite:///example.db", sets=["population.people=500"], days=5, policy="own_policy:Half"
    )
    by_channel = "SELECT channel, COUNT(*) AS decisions, SUM(status = 'WON') AS won FROM decisions GROUP BY 1 ORDER BY 1"
    for channel, decisions, won in run.query(by_channel).rows():
        print(f"{channel:<10} {won:>4} of {decisions} won")
