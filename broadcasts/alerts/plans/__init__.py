"""Plans (预案): words and area of an emergency, approved by two people in daylight."""
