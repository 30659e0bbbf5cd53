"""How an order reaches the work-order system: payload, outbox, worker."""
