"""Scenarios played in the lab: a story as data, the mesh that lives it, the screen that tells it, and the verdict."""
