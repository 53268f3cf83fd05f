"""Who is on duty where, and how they are reached."""
