"""Words with a reading of their own, and words that are not broadcast: kept by staff, used for everything spoken."""
