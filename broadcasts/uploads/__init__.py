"""Sound from outside: told apart, decoded in a caged process, brought to the house's level."""
