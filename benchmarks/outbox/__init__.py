"""Events a second from the outbox to Redis, beside a Node publisher that does the same."""
