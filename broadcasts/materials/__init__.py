"""The library of contents: texts and recordings by theme, checked by two, used until they expire."""
