"""Shared parts of every page: one unit of work per request, guards, errors, shell."""
