"""Who has to look at an announcement before it goes out, who has looked, and what it said then."""
