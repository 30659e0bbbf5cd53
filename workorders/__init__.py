"""Work orders (工单): drafts, pre-fill, delivery outbox and the outcome of delivery."""
