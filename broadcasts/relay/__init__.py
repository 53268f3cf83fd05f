"""Programmes that run elsewhere: which addresses a loudspeaker can relay, and whether they sound."""
