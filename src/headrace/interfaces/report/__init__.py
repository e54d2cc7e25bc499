"""The board's page: one self-contained HTML file with its own SVG."""
