"""The commands: what `guildhouse up` and the others do. Each is called by a few lines of `__main__.py` or `groups.py`."""
