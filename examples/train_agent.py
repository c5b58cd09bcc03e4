"""Train a policy for three epochs, then grade it in worlds it has never seen, beside a baseline and the best possible."""

from pathlib import Path
from tempfile import mkdtemp

from gaelp_sim.evaluate.grade import Asked, evaluate
from gaelp_sim.learn.course import Plan
from gaelp_sim.learn.train import Training
from gaelp_sim.scenario.loading import load_scenario

scenario = load_scenario("short", ["population.people=200", "identity.mode=perfect"])
folder = Path(mkdtemp()) / "policy"
training = Training.begin(scenario, Plan(epochs=3, worlds=8, validate_every=3, validation_worlds=2), folder)
training.run(lambda epoch: print(f"epoch {epoch['epoch']}: profit {epoch['profit_usd']:.0f} USD for 10,000 people"))

# Three epochs teach little, and eight worlds tell little: `gaelp train` and `gaelp evaluate` take more of both.
trained = f"checkpoint:{folder / 'best'}"
asked = Asked((trained,), worlds=8, tuning_worlds=1, baselines=("fixed",), references=("clairvoyant",))
for row in evaluate(scenario, asked, lambda step: None):
    name = "the trained policy" if row.kind == "graded" else row.policy
    print(f"{name:<18} {row.profit_usd:8.0f} USD a world ({row.profit_low:.0f} to {row.profit_high:.0f})")
