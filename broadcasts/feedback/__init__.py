"""What residents say about broadcasts: too loud, not heard, at the wrong time; and what became of it."""
