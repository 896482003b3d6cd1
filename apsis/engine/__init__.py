"""The one loop that alone changes runs."""
