"""Rosters: volunteers on patrol and grid workers' daily and weekly duties, reminded by message, confirmed by reply."""
