"""What `compare.py` measures: our engine and its peers, each in a process of its own."""
