"""The programs: flags in, one call into the package, exit code out."""
