"""Guildhouse: the career network that a school, a bootcamp, a guild, a union or a city runs for itself."""
