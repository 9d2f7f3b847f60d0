"""Choices: what the command line offers to choose from; apart from the commands, so that reading a line loads none."""

from typing import Literal

Policy = Literal["ask", "skip", "change", "keep"]
Size = Literal["small", "large"]
