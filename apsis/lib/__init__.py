"""True in any program: clock, tasks, templates, durations, suggestions."""
