"""Backups of everything a hub cannot make anew, and the way back."""
