"""Speak to a village from a telephone: recorded first, or heard while one speaks."""
