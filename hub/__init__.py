"""Who and where: people, places, loudspeakers, and the front door."""
