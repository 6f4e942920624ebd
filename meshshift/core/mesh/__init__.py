"""Reading and editing Istio's routing documents: plain documents in, JSON Patches out, nothing applied here."""
