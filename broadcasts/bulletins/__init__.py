"""Official warnings as they arrive: judged, placed in the tree, shown to whoever is on duty; and what goes out."""
