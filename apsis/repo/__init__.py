"""Git as desired state."""
