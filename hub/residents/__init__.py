"""Residents, their phones and what they agreed to."""
