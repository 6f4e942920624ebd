"""Services that opt in by annotation: what is to be done next for one of them, decided from what is there."""
