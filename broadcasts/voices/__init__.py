"""Which voice speaks which language: looked at, listened to, chosen."""
