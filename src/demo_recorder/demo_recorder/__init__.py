"""Episode recorder, bag tools and replay."""
