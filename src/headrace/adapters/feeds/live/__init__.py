"""Live feeds: market operators' own services behind the `Feed` door.

Three parts, apart so that all but one are pure. A market's module builds requests and reads replies (bytes in, `Table`
out); `transport` is the only thing that opens a socket; `feed` puts them together. Tests answer from recorded replies.
"""
