"""Which service is asked, in which order, and when the next one is: pure decisions."""
