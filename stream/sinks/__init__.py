"""Where outputs go, and in which form."""
