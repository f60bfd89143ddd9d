"""Where executions, schedules, ticks and locks live; ``open_store`` picks one by URL."""
