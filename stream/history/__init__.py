"""What workers tell of themselves, kept in Redis for whoever looks: the page, the API, `driftline web`."""
