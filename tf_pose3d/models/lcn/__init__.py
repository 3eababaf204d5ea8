"""LCN, the locally connected network (ICCV 2019)."""
