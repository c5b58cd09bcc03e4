"""The same people with the same luck under three bids: what changes, and how sure that is."""

import gaelp_sim as gaelp

run = gaelp.run("short", db="sqlite:///example.db", sets=["population.people=600"], worlds=3)
print(f"today: {run.summary['conversions']} sales for {run.summary['spend_usd']:.0f} USD")

for multiple in (0.7, 1.5):
    again = run.replay("rule", sets=[f"us.policy.bid_multiplier={multiple}"])
    told = {row[0]: row for row in again.differences.rows() if row[1] == "all"}
    _, _, _, _, difference, low, high = told["profit_usd"]
    print(f"bids x {multiple}: profit {difference:+.0f} USD ({low:.0f} to {high:.0f})")
