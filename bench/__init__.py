"""The bench: Guildhouse against the limit (the bare database behind the barest server), as ratios of one run."""
