"""AITBC: an exchange for GPU compute that anyone can host."""
