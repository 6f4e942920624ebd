"""The controller as a process: settings, watches that only enqueue, workers, health, and the wiring of it all."""
