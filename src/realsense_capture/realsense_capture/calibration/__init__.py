"""Where the camera stands: its pose in `link_base`, from points that are known in both."""
