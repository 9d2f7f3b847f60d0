"""Leaving: what is a person's own, and how it goes: along with them as an archive, or for good."""
