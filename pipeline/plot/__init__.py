"""Pictures for people: the only place that touches matplotlib, imported where one is asked for."""
