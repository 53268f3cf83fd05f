"""How a device becomes ours: quarantine, claim codes, replacing, moving, retiring."""
