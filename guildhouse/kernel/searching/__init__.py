"""Search: an index of every node beside the database, what is asked of it, and how its hits become rows."""
