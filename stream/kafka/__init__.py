"""The Kafka driver: brings records to the engine and carries out its effects."""
