"""The cloud: its API as a client, and jobs that are never orphaned or paid twice."""
