"""The record of an incident: its time line, on paper and as evidence."""
