"""What builds, measures and attacks the service. Not a part of the wheel."""
