"""Playing on loudspeakers: orders, deliveries, receipts."""
