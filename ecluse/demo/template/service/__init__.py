"""A small service that plans how a staircase of locks raises or lowers a boat."""
