"""Figures -> pages, tables and plots."""
