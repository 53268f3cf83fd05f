"""Text messages to residents: outbox, receipts, gateways."""
