"""Words someone wants heard, and how far they have come."""
