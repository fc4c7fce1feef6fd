"""The render service that anyone can host: the cloud's API, a durable queue, and a page."""
