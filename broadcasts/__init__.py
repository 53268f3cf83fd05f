"""What is said, and getting it heard."""
