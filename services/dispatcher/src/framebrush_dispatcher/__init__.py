"""The dispatcher: it hands out work, notices what is complete, and deals with what failed."""
