"""`hotline replay`: a captured log folded into the same picture, and its calls' timelines."""
