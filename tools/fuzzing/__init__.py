"""Damaged and hostile files for every reader: what is made of them, and what the readers say."""
