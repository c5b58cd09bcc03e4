"""What touches do to people: looking, clicking, wearing out, moving on, buying."""
