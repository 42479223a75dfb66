"""Writing webhooks, and the queue of what they are sent."""
