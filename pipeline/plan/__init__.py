"""From facts and a request to a plan: what to do, in which order, and why. Pure."""
