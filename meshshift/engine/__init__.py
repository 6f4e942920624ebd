"""One loop: observe, decide, act.  Everything the loop needs from the world stands behind the Protocols in `ports`."""
