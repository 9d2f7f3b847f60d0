"""The log: every change of every row, in one order, and who follows it."""
