"""Backing up: what a backup is, where it is put, how long it stays, and when it is taken."""
