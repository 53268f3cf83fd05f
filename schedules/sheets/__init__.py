"""Programme sheets: written, agreed to by somebody else, running, replaced by their next version."""
