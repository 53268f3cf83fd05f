"""Campaigns: one theme over some weeks, its texts in turn, and how far every village has come."""
