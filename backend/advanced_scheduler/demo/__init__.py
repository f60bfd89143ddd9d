"""An integrity audit of a Python environment: ``python -m advanced_scheduler.demo``."""
