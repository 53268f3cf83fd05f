"""Texts that come with the program: spoken and as a text message, with what has to be filled in or checked locally."""
