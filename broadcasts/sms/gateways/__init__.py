"""SMS providers, one file of translation each."""
