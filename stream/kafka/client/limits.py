"""Limits and rhythms that both clients keep to."""

from __future__ import annotations

CONNECT_SECONDS = 5.0
"""Longest wait for a broker's first answer."""
PRODUCER_MAX_BYTES = 1_000_000
"""Largest record produced; the default limit of a Kafka topic is 1,048,588 bytes with its overhead."""
REQUEST_MAX_BYTES = 4 * PRODUCER_MAX_BYTES
"""Largest record that a producer hands to the broker, who may refuse it."""
FETCH_BYTES = 4 * 1024 * 1024
"""Most bytes of one partition in one answer to a fetch."""
FETCH_WAIT_MS = 100
"""Longest time that the broker holds back the answer to a fetch when there is nothing."""
LINGER_MS = 5
"""Time a producer waits for more records to send together."""
BATCH_BYTES = 256 * 1024
SEND_SECONDS = 10.0
"""Longest wait of `send`: for a topic to be known, or for room in the producer's buffer."""
DELIVERY_SECONDS = 60.0
"""Age at which a record that could not be delivered is given up."""
RETRY_MS = 100
RECONNECT_MAX_MS = 2000
TRANSACTION_RETRY_MS = 5
"""Pause before a transaction asks again while the one before it is being closed, a matter of milliseconds."""
