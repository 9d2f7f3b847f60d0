"""Readers of the log: what follows from a change. A durable one has a cursor, a tail follows from the present on."""
