"""`driftline demo`: real flights through a real Kafka, watched from outside.

Broker, store, service and simulator are processes of their own. What is shown is what any outsider can see: the topics
and /metrics.
"""
