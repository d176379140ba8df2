"""Where models and snapshots are kept."""
