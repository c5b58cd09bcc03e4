"""Published statistics and log files to scenario parameters."""
