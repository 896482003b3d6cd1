"""When: from an instant to the next instants."""
