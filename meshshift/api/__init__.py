"""What users write and read: the TrafficShift as it looks on the wire, and its translation to the core's types."""
