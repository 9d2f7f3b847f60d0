"""Searching: rows found by words."""
