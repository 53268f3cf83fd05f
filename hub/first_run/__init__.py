"""The first run: who comes first, and one step after the other until a loudspeaker sounds."""
