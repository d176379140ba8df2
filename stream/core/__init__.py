"""The engine: pure computation on decoded records. No I/O, clock, thread, logging or metric in here."""
