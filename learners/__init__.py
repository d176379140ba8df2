"""Models that keep learning: recipes and River pipelines behind one interface, baselines, and signed model files."""
