"""What the benchmarks share: models, streams, a broker and a store in a box, services in processes of their own."""
