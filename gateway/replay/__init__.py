"""`hotline replay`: fold a captured log into call timelines, just as the live gateway would."""
