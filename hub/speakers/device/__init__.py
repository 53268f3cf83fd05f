"""The loudspeaker itself: its rules, the reference device, the simulated crowd."""
