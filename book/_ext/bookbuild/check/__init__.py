"""Checking: the built site, the notebooks where the book is not installed, and what a commit changed."""
