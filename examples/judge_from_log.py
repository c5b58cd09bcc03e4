"""What would bidding more have earned? Asked of the log alone, as with a real account, then of the world itself."""

import gaelp_sim as gaelp

MORE = ["us.policy.bid_multiplier=1.4"]

run = gaelp.run(
    "short", db="sqlite:///example.db", worlds=4, sets=["population.people=4000", "us.policy.exploration=0.9"]
)
for row in run.ope("rule", estimators=["dr", "snips", "pdis"], sets=MORE).rows():
    policy, estimator, _, value, low, high = row[:6]
    refused, reason = row[-2:]
    told = f"refused: {reason}" if refused else f"{value:.3f} USD a user ({low:.3f} to {high:.3f})"
    print(f"{policy} by {estimator}: {told}")

again = run.replay("rule", sets=MORE)  # no real account can be asked this
told = {row[0]: row for row in again.differences.rows() if row[1] == "all"}
print("the same people under it: profit {4:+.0f} USD ({5:.0f} to {6:.0f})".format(*told["profit_usd"]))
