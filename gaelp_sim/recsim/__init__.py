"""RecSim by duck typing: its choice and user models from the published maths, and the adapter for anybody's own."""
