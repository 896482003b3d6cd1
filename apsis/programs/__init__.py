"""How a run is done: one file a kind."""
