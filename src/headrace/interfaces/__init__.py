"""How people and agents see it: reports and tables."""
