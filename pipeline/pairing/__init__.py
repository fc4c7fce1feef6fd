"""Which sound belongs to which picture: decided by names, and by figures of what both hold."""
