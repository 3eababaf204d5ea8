"""SemGCN."""
