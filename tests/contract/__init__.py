"""What every store promises; a new backend joins by one line of ``BACKENDS``."""
