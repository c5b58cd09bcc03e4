"""Where the rooms meet: the clock, the hour, cells and their controller, executors, resume and replay."""
