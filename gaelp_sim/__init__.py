"""gaelp-sim: a flight simulator for ad bidding."""

__version__ = "0.1.0"
