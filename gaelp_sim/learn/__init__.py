"""Learning: journeys in, a policy out. The only room that may load torch."""
