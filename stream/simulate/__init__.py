"""Streams to try Driftline with: real flights, simulated payments and sensors, and their way into Kafka."""
