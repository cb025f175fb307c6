"""Votes, queues and the agreement between inspectors: nothing here yet."""
