"""Retaining: how long rows stay. What leaves by itself, what is kept of it as a file, and what a hold keeps from going."""
