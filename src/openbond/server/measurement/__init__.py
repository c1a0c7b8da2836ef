"""What was measured and observed over time: state histories, speed tests, metrics."""
