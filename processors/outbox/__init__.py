"""What happens in the app, published as events and added as jobs: from its outbox, or from Redis."""
