"""The seam on confluent-kafka, the Python face of librdkafka. Imported only when it is chosen."""
