"""Fetching a distribution's kernel, without root, into the folder where every verb finds it."""
