"""Practice: a few tasks for everybody, ticked off by what really happened in practice and in drills, never live."""
