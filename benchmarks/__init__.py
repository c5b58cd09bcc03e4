"""How fast and how small, beside stand-ins for peers measured in the same run: `python -m benchmarks`."""
