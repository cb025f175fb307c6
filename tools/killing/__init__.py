"""Commands that are killed at any moment and disturbed in any way: what is lost, broken or left behind."""
