"""Figures that last: what is counted of calls and orders, in which periods, and the rates made of it. Pure.

docs/metrics.md gives formula and source of each.
"""
