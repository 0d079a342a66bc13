"""The command lines: hpmp-run and hpmp-plan, thin clients of the package."""
