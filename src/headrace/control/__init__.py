"""Setpoints each interval: proposals narrowed by priority, and always an answer."""
