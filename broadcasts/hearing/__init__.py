"""Whether people on the spot heard a broadcast, could not make it out, or heard nothing."""
