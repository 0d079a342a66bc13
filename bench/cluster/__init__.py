"""An emulated cluster: hosts of this machine that are joined by slow links."""
