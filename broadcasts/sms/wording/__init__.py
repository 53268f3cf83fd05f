"""Ready-made texts, what stands against a text, and trying one on the unit's own telephones."""
