"""Bumping pinned dependencies: where the pins are, what is newest, and the job that writes and commits them."""
