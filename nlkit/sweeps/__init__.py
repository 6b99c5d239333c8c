"""Many runs of any kind: run, kept, and found again."""
