"""Work orders (工单): the draft, its pre-fill, the delivery outbox, the closed loop."""
