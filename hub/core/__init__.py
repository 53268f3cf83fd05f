"""What every room stands on: configuration, database, clock, errors."""
