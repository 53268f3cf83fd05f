"""Emergencies go first and are looked at afterwards, by somebody else, within a day."""
