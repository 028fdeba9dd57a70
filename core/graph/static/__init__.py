"""Static graphs: a function traced once, simplified, and run as one piece of generated code."""
