"""Running: what a page depends on, executing what is missing, and keeping what came out."""
