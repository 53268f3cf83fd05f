"""Public holidays, worked weekends and days kept quiet: read in once, changed by hand."""
