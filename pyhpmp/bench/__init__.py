"""Measurements of this machine: ops, transport, whole steps."""
