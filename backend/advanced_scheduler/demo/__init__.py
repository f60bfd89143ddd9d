"""What ``advanced-scheduler demo`` shows: an audit of a Python environment, and sample tasks."""
