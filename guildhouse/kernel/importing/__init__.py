"""Importing: rows come in from files, are judged before anything is written, and can be taken back as a whole."""
