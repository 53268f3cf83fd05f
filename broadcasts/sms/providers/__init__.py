"""The companies that carry messages: which there are, how each does, and which one is next."""
