"""The nouns, pure and frozen."""
