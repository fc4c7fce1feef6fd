"""The executor of this machine: a plan becomes a verified file."""
