"""What is thrown at the page's server: see tools/attack.py."""
