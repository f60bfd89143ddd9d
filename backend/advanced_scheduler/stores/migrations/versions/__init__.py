"""One module for each revision; none is ever edited after its release."""
