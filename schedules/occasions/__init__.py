"""The year's awareness days: when they are, and drafts made in time."""
