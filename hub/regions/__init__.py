"""The region tree: county, township, village, group."""
