"""Incidents: one event, however many departments report it and however many alerts it takes."""
