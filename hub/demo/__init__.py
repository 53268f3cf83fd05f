"""The invented county everybody can try: no real place, person or number."""
