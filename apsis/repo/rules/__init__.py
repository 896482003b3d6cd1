"""What the check judges by. A rule is a function that yields what it found about one job."""
