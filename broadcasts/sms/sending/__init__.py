"""The outbox: who is meant, the claims, the pump, what providers report, and what it costs."""
