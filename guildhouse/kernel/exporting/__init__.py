"""Exporting: whole lists as files, streamed from one snapshot, or made in the background and kept for a while."""
