"""What else happens when a run changes: messages to the outside, delivered at least once."""
