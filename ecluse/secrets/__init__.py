"""Secrets: what hides them wherever something is written, and what finds them where they must not be."""
