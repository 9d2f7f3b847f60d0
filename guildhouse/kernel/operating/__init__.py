"""Operating: what operations do in the background. Lines that were sent, rows of a filter, undoing what another did."""
