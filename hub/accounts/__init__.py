"""Staff accounts, roles bound to the region tree, sign-in, API tokens."""
