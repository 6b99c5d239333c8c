"""The learner's own data: which labels are wrong, how many, and what to do about it."""
