"""Data sets, their image files and labels, and small worlds that several papers share."""
