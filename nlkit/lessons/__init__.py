"""Lessons: one file a notebook of the course, with its page: variants, claims and measures, the grid of its runs."""
