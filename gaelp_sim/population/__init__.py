"""Who lives in a world: people as columns, what may happen to them each day, and on which device."""
