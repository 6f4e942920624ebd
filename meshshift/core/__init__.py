"""Everything that judges: pure, synchronous, standard library only.  Time is a value here, never a clock."""
