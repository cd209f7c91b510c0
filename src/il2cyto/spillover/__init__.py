"""Spillover and spreading matrices from single stains and unstained controls."""
