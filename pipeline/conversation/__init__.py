"""A conversation about a session: in the cloud, or with no server at all."""
