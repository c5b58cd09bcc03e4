"""A day of bidding as a Gymnasium environment: one multiple of the market's price for each channel, set every hour."""

import gymnasium

import gaelp_sim.env  # noqa: F401 - registers the environments

env = gymnasium.make("gaelp/Bidding-v0", scenario="short", people=2000, days=3)
for multiple in (0.5, 1.0, 2.0):
    observation, info = env.reset(seed=1)  # the same world, with the same luck
    earned_usd, spent_usd, sales, over = 0.0, 0.0, 0, False
    while not over:
        action = env.action_space.low + multiple
        observation, reward, terminated, truncated, info = env.step(action)
        earned_usd, spent_usd, sales = earned_usd + reward, spent_usd + info["spend_usd"], sales + info["sales"]
        over = terminated or truncated
    print(f"{multiple:g} x market price: {sales:>3} sales, spent {spent_usd:7.2f} USD, profit {earned_usd:9.2f} USD")
