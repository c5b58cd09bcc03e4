"""What the user writes: the strict schema of a scenario, its loading from YAML, its resolved defaults."""
