"""Lessons of the course: one file a notebook, with its page."""
