"""Which nodes live, and who must be told of a change?"""
